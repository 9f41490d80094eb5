// What the server offers, as its EHLO reply tells (RFC 5321 §4.1.1.1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

struct Extensions {
  bool pipelining = false;             // RFC 2920
  bool chunking = false;               // RFC 3030
  bool size = false;                   // RFC 1870
  uint64_t max_size_bytes = 0;         // of SIZE; 0 = no limit stated
  bool eight_bit_mime = false;         // RFC 6152
  bool smtputf8 = false;               // RFC 6531
  bool starttls = false;               // RFC 3207
  bool dsn = false;                    // RFC 3461
  bool enhanced_status_codes = false;  // RFC 2034
  std::vector<std::string> auth;       // mechanisms, upper case, at most kMaxAuthMechanisms

  friend bool operator==(const Extensions&, const Extensions&) = default;

  static constexpr size_t kMaxAuthMechanisms = 16;

  // Takes one line of the EHLO reply after the first, without its code: "SIZE 1000". Keywords in
  // any case; unknown ones and nonsense are passed over.
  void AddLine(std::string_view line);
};

}  // namespace sluice

// What one path remembers of its MX hosts: which are paused after failures and for how long, what
// they last said, and which must be talked to in plain text. Pure: `now` is a parameter. Belongs to
// one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "base/text.h"
#include "mail/disposition.h"
#include "mail/smtp_reply.h"

namespace sluice::egress {

// How the last try to open a connection to a host ended.
struct HostFailure {
  Stage stage = Stage::kConnect;
  SmtpReply reply;
  std::string address;  // empty when none was tried
};

class HostBook {
 public:
  // After the nth failure in a row a host is left alone for first · 2ⁿ⁻¹, at most `most`.
  static constexpr Duration kFirstPause = std::chrono::seconds(1);
  static constexpr Duration kMostPause = std::chrono::minutes(5);
  // STARTTLS that failed is not tried again for this long.
  static constexpr Duration kPlainTextFor = std::chrono::hours(1);
  static constexpr size_t kMostHosts = 64;

  bool IsPaused(std::string_view host, SteadyInstant now) const;
  bool IsPlainText(std::string_view host, SteadyInstant now) const;
  // The failure that the host is paused for; null when it never failed since it last worked.
  const HostFailure* LastFailure(std::string_view host) const;

  void Failed(std::string_view host, HostFailure failure, SteadyInstant now);
  void Worked(std::string_view host);
  void UsePlainText(std::string_view host, SteadyInstant now);

  // Nothing left to remember: the book may be thrown away.
  bool IsBlank(SteadyInstant now) const;

 private:
  struct Page {
    int failure_count = 0;
    SteadyInstant paused_until{};
    SteadyInstant plain_text_until{};
    HostFailure failure;
  };
  Page& Of(std::string_view host);
  const Page* Find(std::string_view host) const;

  absl::flat_hash_map<std::string, Page, StringHash, std::equal_to<>> pages_;
};

}  // namespace sluice::egress

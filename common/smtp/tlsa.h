// TLSA records (RFC 6698, RFC 7671) as values, read from bytes of the network. Which of them mail
// can use is RFC 7672 §3.1; matching a certificate is net/tls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

struct TlsaRecord {
  uint8_t usage = 0;     // 2 = DANE-TA, 3 = DANE-EE
  uint8_t selector = 0;  // 0 = certificate, 1 = public key
  uint8_t matching = 0;  // 0 = as it is, 1 = SHA-256, 2 = SHA-512
  std::string data;      // bytes

  friend auto operator<=>(const TlsaRecord&, const TlsaRecord&) = default;
};

// Record data in wire format; nullopt when it is cut off.
std::optional<TlsaRecord> ParseTlsa(std::string_view wire);
// "3 1 1 0123…", as in a zone file.
std::string ToString(const TlsaRecord& record);

// Usages 2 and 3 with a known selector, a known matching type and data of its length. 0 and 1 are
// of no use to mail: nobody agrees on authorities there (RFC 7672 §3.1.3).
bool IsUsable(const TlsaRecord& record);
// What a certificate is matched against: the usable records, and of each usage and selector only
// those of the strongest digest, besides full data (RFC 7671 §9). Sorted, each once.
std::vector<TlsaRecord> UsableRecords(const std::vector<TlsaRecord>& records);

}  // namespace sluice

#include "smtp/tlsa.h"

#include <algorithm>

#include "base/text.h"

namespace sluice {
namespace {

constexpr size_t kHeadBytes = 3;
constexpr size_t kSha256Bytes = 32;
constexpr size_t kSha512Bytes = 64;

}  // namespace

std::optional<TlsaRecord> ParseTlsa(std::string_view wire) {
  if (wire.size() <= kHeadBytes) {
    return std::nullopt;
  }
  TlsaRecord record;
  record.usage = static_cast<uint8_t>(wire[0]);
  record.selector = static_cast<uint8_t>(wire[1]);
  record.matching = static_cast<uint8_t>(wire[2]);
  record.data = wire.substr(kHeadBytes);
  return record;
}

std::string ToString(const TlsaRecord& record) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = Cat(static_cast<int>(record.usage), " ", static_cast<int>(record.selector), " ",
                        static_cast<int>(record.matching), " ");
  for (const char c : record.data) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

bool IsUsable(const TlsaRecord& record) {
  if (record.usage < 2 || record.usage > 3 || record.selector > 1) {
    return false;
  }
  switch (record.matching) {
    case 0:
      return !record.data.empty();
    case 1:
      return record.data.size() == kSha256Bytes;
    case 2:
      return record.data.size() == kSha512Bytes;
    default:
      return false;
  }
}

std::vector<TlsaRecord> UsableRecords(const std::vector<TlsaRecord>& records) {
  std::vector<TlsaRecord> usable;
  std::ranges::copy_if(records, std::back_inserter(usable), IsUsable);
  std::ranges::sort(usable);
  usable.erase(std::unique(usable.begin(), usable.end()), usable.end());
  const std::vector<TlsaRecord> all = usable;
  std::erase_if(usable, [&all](const TlsaRecord& weak) {
    return weak.matching == 1 && std::ranges::any_of(all, [&weak](const TlsaRecord& other) {
             return other.usage == weak.usage && other.selector == weak.selector &&
                    other.matching == 2;
           });
  });
  return usable;
}

}  // namespace sluice

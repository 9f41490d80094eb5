// Any bytes as the data of TLSA records, each after its length: what is usable is of a known kind
// and length, each once, and no weaker digest stands beside a stronger one.
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "smtp/tlsa.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::vector<sluice::TlsaRecord> records;
  while (!bytes.empty()) {
    const auto length = static_cast<unsigned char>(bytes.front());
    if (const auto record = sluice::ParseTlsa(bytes.substr(1, length))) {
      SLUICE_CHECK(!record->data.empty() && record->data.size() + 3 <= length);
      SLUICE_CHECK(sluice::ToString(*record).size() >= 2 * record->data.size());
      records.push_back(*record);
    }
    bytes.remove_prefix(std::min<size_t>(bytes.size(), 1 + size_t{length}));
  }
  const auto usable = sluice::UsableRecords(records);
  SLUICE_CHECK(usable.size() <= records.size());
  for (const auto& record : usable) {
    SLUICE_CHECK(sluice::IsUsable(record));
    SLUICE_CHECK(record.usage == 2 || record.usage == 3);
    for (const auto& other : usable) {
      const bool is_same_kind = &record != &other && record.usage == other.usage &&
                                record.selector == other.selector;
      SLUICE_CHECK(!is_same_kind || record.data != other.data || record.matching != other.matching);
      SLUICE_CHECK(!is_same_kind || record.matching != 1 || other.matching != 2);
    }
  }
  return 0;
}

// Whatever a server sends instead of a report: no crash, and what is taken is bounded and made of addresses.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/snds_report.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto rows = sluice::ParseSndsReport(text); rows.ok()) {
    for (const sluice::SndsRow& row : *rows) {
      const bool sane = row.recipients >= 0 && row.messages >= 0 && row.traps >= 0 && !row.address.empty();
      if (!sane || (row.complaint_rate && !(*row.complaint_rate >= 0 && *row.complaint_rate <= 1))) std::abort();
    }
  }
  if (const auto blocks = sluice::ParseSndsStatus(text); blocks.ok()) {
    for (const sluice::SndsBlock& block : *blocks) sluice::FindSndsBlock(*blocks, block.first);
  }
  return 0;
}

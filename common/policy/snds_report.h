// Microsoft SNDS: what its reports say of addresses, in the shapes that are documented (deploy/docs/reputation.md): the CSV of June 2026
// with a heading, the CSV before it without one, and the list of blocked ranges. By column name where there is one. Whatever is not one
// of them (a login page, half a file) is an error, never a number. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice {

struct SndsRow {
  std::string address = {};
  std::string period = {};  // As it is written.
  int64_t recipients = 0;   // RCPT commands.
  int64_t messages = 0;     // DATA commands.
  std::string filter = {};  // `GREEN`, `YELLOW`, `RED`; empty = not said.
  // Upper end in the report's own words: `<0.1%` is 0.001. Absent = none, or not said.
  std::optional<double> complaint_rate = {};
  int64_t traps = 0;
};
// At most 100,000 rows; numbers up to 10^12. An empty text is no data: no rows.
absl::StatusOr<std::vector<SndsRow>> ParseSndsReport(std::string_view text);

// What the rows of one address say together: counts added up, the worst filter result, the highest complaint rate. Absent = no row, which
// means too little mail, not zero.
std::optional<SndsRow> SumUp(const std::vector<SndsRow>& rows, std::string_view address);

struct SndsBlock {
  std::string first = {}, last = {};  // Addresses, inclusive.
  bool is_blocked = false;
  std::string reason = {};
};
absl::StatusOr<std::vector<SndsBlock>> ParseSndsStatus(std::string_view text);
// Null = not in any of the ranges.
const SndsBlock* FindSndsBlock(const std::vector<SndsBlock>& blocks, std::string_view address);

}  // namespace sluice

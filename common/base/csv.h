// Comma-separated values as spreadsheets and reports write them (RFC 4180): fields may be quoted, quotes
// inside are doubled, lines end with LF or CRLF.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// One record of `text`, which is moved behind it; nothing at the end. A quote that is never closed takes
// the rest as its field. Views of `text` are not kept. At most 256 fields; more are dropped.
std::optional<std::vector<std::string>> NextCsvRecord(std::string_view& text);

// The field as it is written: quoted when it must be.
std::string CsvField(std::string_view value);

}  // namespace sluice

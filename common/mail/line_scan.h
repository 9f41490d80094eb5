// One fast pass over message bytes for what may never be transmitted: NUL, CR or LF outside CRLF,
// lines over the limit. Knows lines only, no headers.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice {

enum class LineProblem { kNone, kNul, kBareCr, kBareLf, kLongLine };

struct LineScan {
  LineProblem problem = LineProblem::kNone;
  // Of the offending byte, or of the long line's first byte, when there is a problem.
  size_t at = 0;
  // A byte ≥ 0x80 was seen; complete only when there is no problem.
  bool has_8bit = false;
};

// A last line without CRLF is no problem; `longest_line` is in bytes without CRLF.
LineScan ScanLines(std::string_view bytes, size_t longest_line);

// 1-based number of the line that byte `at` is on, counting LFs.
size_t LineNumber(std::string_view bytes, size_t at);

}  // namespace sluice

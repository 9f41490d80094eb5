// Content into what DATA and BDAT transmit. The usual content, CRLF line ends and no line that
// begins with a dot, goes out as it is, uncopied; Scan tells whether it may. Otherwise Encode makes
// the copy. Either way no bare CR, no bare LF and no early end of content ever reaches the wire
// (SMTP smuggling).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

struct ContentScan {
  size_t size_bytes = 0;
  bool has_bare_line_end = false;  // a CR without LF or an LF without CR
  bool has_leading_dot = false;    // a line begins with '.': DATA needs it doubled
  bool ends_with_crlf = true;      // empty content counts as ended
};

// The pieces are read as one text; a line end may lie across two of them.
ContentScan ScanContent(std::span<const std::string_view> pieces);

// The content with every bare CR or LF made CRLF, a final CRLF, and, if `stuff_dots`, every line's
// leading dot doubled (RFC 5321 §4.5.2). Replaces `out`.
void EncodeContent(std::span<const std::string_view> pieces, bool stuff_dots, std::string& out);

}  // namespace sluice

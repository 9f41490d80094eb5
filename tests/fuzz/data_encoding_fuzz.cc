// Any content in any pieces: what goes out by DATA can neither end early nor hold a bare line end,
// and the scan tells the truth about when a copy is needed.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "smtp/data_encoding.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::vector<std::string_view> pieces;
  const size_t step = 1 + data[0] % 32U;
  for (size_t at = 0; at < content.size(); at += step) {
    pieces.push_back(content.substr(at, step));
  }
  std::string plain;
  std::string wire;
  sluice::EncodeContent(pieces, false, plain);
  sluice::EncodeContent(pieces, true, wire);
  for (const std::string* text : {&plain, &wire}) {
    SLUICE_CHECK(text->empty() || text->ends_with("\r\n"));
    for (size_t i = 0; i < text->size(); ++i) {
      SLUICE_CHECK((*text)[i] != '\r' || (*text)[i + 1] == '\n');
      SLUICE_CHECK((*text)[i] != '\n' || (i > 0 && (*text)[i - 1] == '\r'));
    }
  }
  SLUICE_CHECK(!wire.starts_with(".\r\n") && wire.find("\r\n.\r\n") == std::string::npos);
  const sluice::ContentScan scan = sluice::ScanContent(pieces);
  SLUICE_CHECK((plain != content) == (scan.has_bare_line_end || !scan.ends_with_crlf));
  SLUICE_CHECK(scan.has_bare_line_end || (wire != plain) == scan.has_leading_dot);
  return 0;
}

#include "smtp/data_encoding.h"

#include <algorithm>
#include <cstring>

namespace sluice {
namespace {

const char* Find(const char* from, const char* end, char c) {
  const void* found = std::memchr(from, c, static_cast<size_t>(end - from));
  return found == nullptr ? end : static_cast<const char*>(found);
}

// Reads pieces one after the other, keeping what a line end across two pieces needs.
class Scanner {
 public:
  void Take(std::string_view piece) {
    const char* at = piece.data();
    const char* const end = at + piece.size();
    const char* cr = Find(at, end, '\r');
    while (at != end) {
      if (after_cr_) {
        scan_.has_bare_line_end |= *at != '\n';
        at_line_start_ = true;
        after_cr_ = false;
        at += *at == '\n' ? 1 : 0;
        continue;
      }
      scan_.has_leading_dot |= at_line_start_ && *at == '.';
      if (cr < at) {
        cr = Find(at, end, '\r');
      }
      // An LF before the next CR has no CR of its own.
      const char* const lf = Find(at, cr, '\n');
      at_line_start_ = false;
      if (lf != cr) {
        scan_.has_bare_line_end = true;
        at_line_start_ = true;
        at = lf + 1;
        continue;
      }
      after_cr_ = cr != end;
      at = cr == end ? end : cr + 1;
    }
    scan_.size_bytes += piece.size();
  }

  ContentScan Finish() {
    scan_.has_bare_line_end |= after_cr_;
    scan_.ends_with_crlf = !after_cr_ && at_line_start_;
    return scan_;
  }

 private:
  ContentScan scan_;
  bool at_line_start_ = true;
  bool after_cr_ = false;
};

// Writes line by line: text up to a line end of any kind, then CRLF.
class Encoder {
 public:
  Encoder(bool stuff_dots, std::string& out) : stuff_dots_(stuff_dots), out_(out) {}

  void Take(std::string_view piece) {
    const char* at = piece.data();
    const char* const end = at + piece.size();
    const char* cr = Find(at, end, '\r');
    while (at != end) {
      if (after_cr_) {
        // The CR has already been written as CRLF; its LF goes with it.
        after_cr_ = false;
        if (*at == '\n') {
          ++at;
          continue;
        }
      }
      if (stuff_dots_ && at_line_start_ && *at == '.') {
        out_ += '.';
      }
      if (cr < at) {
        cr = Find(at, end, '\r');
      }
      const char* const line_end = Find(at, cr, '\n');
      out_.append(at, line_end);
      at_line_start_ = line_end != end;
      if (line_end == end) {
        return;
      }
      out_ += "\r\n";
      after_cr_ = *line_end == '\r';
      at = line_end + 1;
    }
  }

  void Finish() {
    if (!at_line_start_) {
      out_ += "\r\n";
    }
  }

 private:
  bool stuff_dots_;
  std::string& out_;
  bool at_line_start_ = true;
  bool after_cr_ = false;
};

}  // namespace

ContentScan ScanContent(std::span<const std::string_view> pieces) {
  Scanner scanner;
  for (const std::string_view piece : pieces) {
    scanner.Take(piece);
  }
  return scanner.Finish();
}

void EncodeContent(std::span<const std::string_view> pieces, bool stuff_dots, std::string& out) {
  size_t size = 0;
  for (const std::string_view piece : pieces) {
    size += piece.size();
  }
  out.clear();
  out.reserve(size + size / 64 + 2);
  Encoder encoder(stuff_dots, out);
  for (const std::string_view piece : pieces) {
    encoder.Take(piece);
  }
  encoder.Finish();
}

}  // namespace sluice

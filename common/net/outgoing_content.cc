#include "net/outgoing_content.h"

namespace sluice {
namespace {

// A copy larger than this is not kept for the next message.
constexpr size_t kKeptBytes = 1024 * 1024;

}  // namespace

void OutgoingContent::Take(std::span<const std::string_view> pieces) {
  given_ = pieces;
  scan_ = ScanContent(pieces);
}

void OutgoingContent::Prepare(bool stuff_dots) {
  pieces_.clear();
  if (scan_.has_bare_line_end || (stuff_dots && scan_.has_leading_dot)) {
    EncodeContent(given_, stuff_dots, copy_);
    pieces_.push_back(copy_);
  } else {
    pieces_.assign(given_.begin(), given_.end());
    if (!scan_.ends_with_crlf) {
      pieces_.push_back("\r\n");
    }
  }
  std::erase_if(pieces_, [](std::string_view piece) { return piece.empty(); });
}

void OutgoingContent::AppendTo(std::vector<asio::const_buffer>& buffers) const {
  for (const std::string_view piece : pieces_) {
    buffers.emplace_back(piece.data(), piece.size());
  }
}

size_t OutgoingContent::wire_bytes() const {
  size_t size = 0;
  for (const std::string_view piece : pieces_) {
    size += piece.size();
  }
  return size;
}

void OutgoingContent::Clear() {
  given_ = {};
  pieces_.clear();
  if (copy_.capacity() > kKeptBytes) {
    copy_ = std::string();
  }
}

}  // namespace sluice

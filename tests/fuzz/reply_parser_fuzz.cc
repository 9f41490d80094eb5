// Any bytes, in any cuts, as replies of a server: bounded, printable, and the same however they are
// cut.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "smtp/reply_parser.h"

namespace {

using sluice::ReplyParser;

// All replies of `bytes`, as text; a malformed one ends them.
std::vector<std::string> Parse(std::string_view bytes, size_t step) {
  ReplyParser parser;
  std::vector<std::string> replies;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    while (!piece.empty()) {
      size_t consumed = 0;
      const auto result = parser.Feed(piece, consumed);
      SLUICE_CHECK(consumed <= piece.size());
      if (result == ReplyParser::Result::kMalformed) {
        replies.emplace_back("malformed");
        return replies;
      }
      SLUICE_CHECK(consumed > 0);
      piece.remove_prefix(consumed);
      if (result == ReplyParser::Result::kReply) {
        const auto& reply = parser.reply();
        SLUICE_CHECK(reply.code >= 200 && reply.code <= 599);
        SLUICE_CHECK(reply.text.size() <= sluice::kMaxReplyTextBytes);
        SLUICE_CHECK(parser.lines().size() <= ReplyParser::kMaxReplyBytes);
        for (const char c : reply.text) {
          SLUICE_CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
        }
        replies.push_back(sluice::ToString(reply));
      }
    }
  }
  return replies;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = Parse(bytes, bytes.size() + 1);
  SLUICE_CHECK(Parse(bytes, 1 + data[0] % 16U) == whole);
  for (const std::string& reply : whole) {
    // What is stored and sent over the wire reads back as it was written.
    const auto again = sluice::ParseSmtpReply(reply);
    SLUICE_CHECK(reply == "malformed" || (again && sluice::ToString(*again) == reply));
  }
  return 0;
}

// The messages of the load generator: made from the corpus, each another, each the same when made
// again, so that a retry needs no copy of what was sent. Pure but for reading the corpus once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::rig {

struct MessageShape {
  uint64_t size = 10 * 1024;  // of the whole content, at least kLeastSize
  uint64_t domains = 100;
  std::string domain_suffix = ".test";
  uint64_t recipients = 1;
  std::string from = "news@shop.example";
  bool incompressible = false;
  static constexpr uint64_t kLeastSize = 512;
};

// The lines that bodies are made of, without line ends. HTML mail is markup that repeats around
// text that does not; that mixture decides how mail compresses.
struct Corpus {
  std::vector<std::string> prose;
  std::vector<std::string> markup;   // in the order of its mail; may be empty
  std::vector<std::string> picture;  // made by MessageMaker: random base64
};

// Who a message is: enough to make it again.
struct MessageId {
  uint64_t number = 0;  // from 0, unique within a run
  Instant submitted_at{};
};

class MessageMaker {
 public:
  // `run` makes tokens of two runs differ. An error when there are fewer than kLeastLines of prose.
  static constexpr size_t kLeastLines = 50;
  static absl::StatusOr<MessageMaker> Make(MessageShape shape, uint32_t run, Corpus corpus);

  // 32 hex digits that begin with the submit time (latency.h).
  std::string Token(const MessageId& id) const;
  // `dN` + suffix; recipients go round the domains.
  void Recipient(const MessageId& id, uint64_t index, std::string& out) const;
  // Replaces `out`: the token's header line first, exactly shape.size bytes, CRLF at the end.
  void Content(const MessageId& id, std::string& out) const;

  // Bytes of content for one byte of LZ4, over `samples` messages, each compressed alone.
  double CompressionRatio(int samples) const;
  const MessageShape& shape() const { return shape_; }

 private:
  MessageMaker(MessageShape shape, uint32_t run, Corpus corpus);
  void AppendArticles(uint64_t dice, uint64_t size, std::string& out) const;

  MessageShape shape_;
  uint32_t run_;
  Corpus corpus_;  // with CRLF; a prime number of lines of prose
};

// The lines of the *.eml files of `directory` that fit a 7-bit body.
absl::StatusOr<Corpus> ReadCorpus(const std::string& directory);
// Lines that look like base64 and do not compress.
std::vector<std::string> RandomLines(size_t count, uint64_t seed);

}  // namespace sluice::rig

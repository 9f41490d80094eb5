#include "mail/ids.h"

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";

std::string Format(int64_t id) {
  std::string text(kIdTextSize, '0');
  auto rest = static_cast<uint64_t>(id);
  for (size_t i = kIdTextSize; i-- > 0; rest >>= 5) text[i] = kAlphabet[rest & 31];
  return text;
}

absl::StatusOr<int64_t> Parse(std::string_view text, std::string_view kind) {
  const auto bad = [&](std::string_view why) {
    return absl::InvalidArgumentError(Cat(Quoted(text), " is no ", kind, " id: ", why,
                                          "; give the id as it was answered at submission"));
  };
  if (text.size() != kIdTextSize) return bad(Cat("it must have ", kIdTextSize, " characters"));
  uint64_t id = 0;
  for (const char c : text) {
    const size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) {
      return bad("its characters are 0-9 and a-z without i, l, o, u");
    }
    id = id << 5 | digit;
  }
  // The first character carries the top three of 63 bits.
  if (text[0] > '7') return bad("it is out of range");
  if (id == 0) return bad("zero names nothing");
  return static_cast<int64_t>(id);
}

}  // namespace

int64_t MakeId(ShardId shard, WriterId writer, uint32_t counter) {
  SLUICE_CHECK(shard.value() >= 0 && shard.value() < kMaxShards);
  SLUICE_CHECK(writer.value() >= 0 && writer.value() < kMaxWriters);
  return static_cast<int64_t>(shard.value()) << 56 | static_cast<int64_t>(writer.value()) << 32 |
         static_cast<int64_t>(counter);
}

std::string FormatMessageId(MessageId id) { return Format(id.value()); }
std::string FormatQueueEntryId(QueueEntryId id) { return Format(id.value()); }

absl::StatusOr<MessageId> ParseMessageId(std::string_view text) {
  ASSIGN_OR_RETURN(const int64_t id, Parse(text, "message"));
  return MessageId(id);
}
absl::StatusOr<QueueEntryId> ParseQueueEntryId(std::string_view text) {
  ASSIGN_OR_RETURN(const int64_t id, Parse(text, "queue entry"));
  return QueueEntryId(id);
}

}  // namespace sluice

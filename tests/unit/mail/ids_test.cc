#include "mail/ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace sluice {
namespace {

using ::testing::HasSubstr;

TEST(IdsTest, AnIdTellsItsShardWriterAndCounter) {
  const int64_t id = MakeId(ShardId(127), WriterId(kMaxWriters - 1), 0xffff'ffff);

  EXPECT_EQ(id, INT64_MAX);
  EXPECT_EQ(ShardOf(id), ShardId(127));
  EXPECT_EQ(WriterOf(id), WriterId(kMaxWriters - 1));
  EXPECT_EQ(CounterOf(id), 0xffff'ffffU);

  const int64_t other = MakeId(ShardId(3), WriterId(70'000), 9);
  EXPECT_EQ(ShardOf(MessageId(other)), ShardId(3));
  EXPECT_EQ(WriterOf(other), WriterId(70'000));
  EXPECT_EQ(CounterOf(other), 9U);
}

TEST(IdsTest, IdsOfOneWriterGrowWithTheCounter) {
  EXPECT_LT(MakeId(ShardId(1), WriterId(2), 0xffff'fffe),
            MakeId(ShardId(1), WriterId(2), 0xffff'ffff));
  EXPECT_LT(MakeId(ShardId(1), WriterId(2), 0xffff'ffff), MakeId(ShardId(1), WriterId(3), 0));
}

TEST(IdsTest, ARangeBeyondTheLayoutAborts) {
  EXPECT_DEATH(MakeId(ShardId(128), WriterId(1), 1), "check_failed");
  EXPECT_DEATH(MakeId(ShardId(1), WriterId(kMaxWriters), 1), "check_failed");
  EXPECT_DEATH(MakeId(ShardId(-1), WriterId(1), 1), "check_failed");
}

TEST(IdsTest, TextHasThirteenCharactersAndReadsBack) {
  EXPECT_EQ(FormatMessageId(MessageId(1)), "0000000000001");
  EXPECT_EQ(FormatMessageId(MessageId(32 * 31 + 18)), "00000000000zj");
  EXPECT_EQ(FormatMessageId(MessageId(INT64_MAX)), "7zzzzzzzzzzzz");
  for (const int64_t id : {int64_t{1}, MakeId(ShardId(77), WriterId(123456), 789), INT64_MAX}) {
    EXPECT_EQ(ParseMessageId(FormatMessageId(MessageId(id))).value(), MessageId(id));
    EXPECT_EQ(ParseQueueEntryId(FormatQueueEntryId(QueueEntryId(id))).value(), QueueEntryId(id));
  }
}

TEST(IdsTest, TextOrderIsNumberOrder) {
  EXPECT_LT(FormatMessageId(MessageId(999)), FormatMessageId(MessageId(1000)));
  EXPECT_LT(FormatMessageId(MessageId(31)), FormatMessageId(MessageId(32)));
}

TEST(IdsTest, RefusesWhatIsNoId) {
  struct Case {
    const char* text;
    const char* why;
  };
  const std::vector<Case> cases = {
      {"", "13 characters"},
      {"000000000001", "13 characters"},
      {"00000000000001", "13 characters"},
      {"000000000000i", "without i, l, o, u"},
      {"000000000000A", "0-9 and a-z"},
      {"00000000000 1", "0-9 and a-z"},
      {"8000000000000", "out of range"},
      {"0000000000000", "names nothing"},
  };
  for (const Case& c : cases) {
    const absl::Status status = ParseMessageId(c.text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.why)) << c.text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("give the id as it was answered"))
        << c.text;
  }
  EXPECT_THAT(std::string(ParseQueueEntryId("x").status().message()), HasSubstr("queue entry id"));
}

}  // namespace
}  // namespace sluice

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/text.h"
#include "rig/content.h"
#include "rig/load_message.h"
#include "rig/load_plan.h"

namespace sluice::rig {
namespace {

const Instant kNow = FromMicros(1'800'000'000'000'000);
const SteadyInstant kStart{Duration(1'000'000'000)};

Corpus TestCorpus() {
  auto corpus = ReadCorpus(SLUICE_SOURCE_DIR "/tests/data/mail");
  EXPECT_TRUE(corpus.ok()) << corpus.status();
  return *corpus;
}

MessageMaker Maker(MessageShape shape, uint32_t run = 1) {
  auto maker = MessageMaker::Make(std::move(shape), run, TestCorpus());
  EXPECT_TRUE(maker.ok()) << maker.status();
  return *maker;
}

TEST(MessageMakerTest, MakesTheSameMessageAgain) {
  const MessageMaker maker = Maker({});
  const MessageMaker other = Maker({});
  std::string first, second;
  for (uint64_t number : {0UL, 1UL, 77'777UL}) {
    maker.Content({number, kNow}, first);
    other.Content({number, kNow}, second);
    EXPECT_EQ(first, second);
  }
}

TEST(MessageMakerTest, MakesEveryMessageAnother) {
  const MessageMaker maker = Maker({.size = 2048});
  std::set<std::string> tokens, contents;
  std::string content;
  for (uint64_t number = 0; number < 5000; ++number) {
    maker.Content({number, kNow}, content);
    tokens.insert(maker.Token({number, kNow}));
    // Behind the header, which the token makes unique anyway.
    contents.insert(content.substr(content.find("\r\n\r\n")));
  }
  EXPECT_EQ(tokens.size(), 5000U);
  EXPECT_GT(contents.size(), 4950U);
  EXPECT_NE(Maker({}, 2).Token({1, kNow}), maker.Token({1, kNow}));
}

TEST(MessageMakerTest, IsOfTheSizeAskedForAndCleanMail) {
  std::string content;
  for (uint64_t size = 512; size < 900; ++size) {
    const MessageMaker maker = Maker({.size = size});
    maker.Content({size, kNow}, content);
    ASSERT_EQ(content.size(), size);
    ASSERT_TRUE(content.ends_with("\r\n"));
    for (size_t i = 0; i < content.size(); ++i) {
      ASSERT_EQ(content[i] == '\n', i > 0 && content[i - 1] == '\r') << size << " at " << i;
      ASSERT_EQ(static_cast<unsigned char>(content[i]) & 0x80, 0);
    }
  }
}

TEST(MessageMakerTest, BeginsWithATokenThatTheSinkFinds) {
  const MessageMaker maker = Maker({});
  std::string text;
  maker.Content({5, kNow}, text);
  Content content;
  content.Begin(Recording::kDigest, true, "", "");
  content.Add("Received: by us\r\n");
  content.Add(text);
  EXPECT_EQ(content.token(), maker.Token({5, kNow}));
  EXPECT_EQ(content.suffix_size(), text.size());
}

TEST(MessageMakerTest, CompressesLikeMailAtAnySize) {
  for (uint64_t size : {2048, 10'240, 20'000, 100'000}) {
    EXPECT_LE(Maker({.size = size}).CompressionRatio(50), 2.5) << size;
  }
  EXPECT_GT(Maker({.size = 10'240}).CompressionRatio(50), 1.6);
  auto random =
      MessageMaker::Make({}, 1, {.prose = RandomLines(997, 1), .markup = {}, .picture = {}});
  ASSERT_TRUE(random.ok());
  EXPECT_LT(random->CompressionRatio(50), 1.1);
}

TEST(MessageMakerTest, SpreadsRecipientsOverItsDomains) {
  const MessageMaker maker = Maker({.domains = 3, .domain_suffix = ".d.test", .recipients = 2});
  std::string recipient;
  std::set<std::string> seen;
  for (uint64_t number = 0; number < 3; ++number) {
    for (uint64_t index = 0; index < 2; ++index) {
      maker.Recipient({number, kNow}, index, recipient);
      seen.insert(recipient.substr(recipient.find('@')));
    }
  }
  EXPECT_THAT(seen, testing::ElementsAre("@d0.d.test", "@d1.d.test", "@d2.d.test"));
  EXPECT_EQ(recipient, "u2-1@d2.d.test");
}

TEST(MessageMakerTest, RefusesWhatMakesNoMessage) {
  EXPECT_FALSE(MessageMaker::Make({.size = 10}, 1,
                                  {.prose = RandomLines(100, 1), .markup = {}, .picture = {}})
                   .ok());
  EXPECT_FALSE(
      MessageMaker::Make({}, 1, {.prose = RandomLines(10, 1), .markup = {}, .picture = {}}).ok());
  EXPECT_FALSE(ReadCorpus("/nonexistent").ok());
}

TEST(PacerTest, LetsMessagesBecomeDueEvenly) {
  Pacer pacer(100, kStart);
  EXPECT_EQ(pacer.Due(kStart), 0U);
  EXPECT_EQ(pacer.NextAt(), kStart + Duration(10'000));
  EXPECT_EQ(pacer.Due(kStart + Duration(25'000)), 2U);
  pacer.Took(2);
  EXPECT_EQ(pacer.Due(kStart + Duration(25'000)), 0U);
  EXPECT_EQ(pacer.NextAt(), kStart + Duration(30'000));
  EXPECT_EQ(pacer.Due(*pacer.NextAt()), 1U);
}

TEST(PacerTest, MakesUpForAtMostASecond) {
  Pacer pacer(100, kStart);
  const SteadyInstant late = kStart + std::chrono::hours(1);
  EXPECT_EQ(pacer.Due(late), 100U);
  pacer.Took(100);
  EXPECT_EQ(pacer.Due(late), 0U);
  EXPECT_EQ(pacer.Due(late + Duration(10'000)), 1U);
}

TEST(PacerTest, HasNoLimitWithoutARate) {
  Pacer pacer(0, kStart);
  EXPECT_GT(pacer.Due(kStart), uint64_t{1} << 60);
  EXPECT_FALSE(pacer.NextAt());
}

TEST(BackoffTest, GrowsToItsBoundAndNeverComesBeforeWhatWasAsked) {
  std::mt19937_64 random(1);
  for (uint32_t attempts = 1; attempts < 40; ++attempts) {
    const Duration wait = Backoff(attempts, std::nullopt, random);
    EXPECT_LE(wait, std::chrono::seconds(2));
    EXPECT_GE(wait, std::chrono::milliseconds(attempts > 8 ? 1000 : 20));
    EXPECT_GE(Backoff(attempts, std::chrono::seconds(5), random), std::chrono::seconds(5));
    EXPECT_LE(Backoff(attempts, std::chrono::seconds(5), random), std::chrono::seconds(7));
  }
}

TEST(RetryQueueTest, GivesOutWhatIsDueInOrder) {
  RetryQueue queue;
  queue.Add({.id = {2, kNow}}, kStart + Duration(20));
  queue.Add({.id = {1, kNow}}, kStart + Duration(10));
  EXPECT_EQ(queue.NextAt(), kStart + Duration(10));
  EXPECT_FALSE(queue.Take(kStart));
  EXPECT_EQ(queue.Take(kStart + Duration(30))->id.number, 1U);
  EXPECT_EQ(queue.Take(kStart + Duration(30))->id.number, 2U);
  EXPECT_FALSE(queue.NextAt());
}

}  // namespace
}  // namespace sluice::rig

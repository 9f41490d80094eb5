#include "egress/content_cache.h"

#include <gtest/gtest.h>
#include <lz4.h>

#include "unit/egress/fakes.h"

namespace sluice::egress {
namespace {

const SteadyInstant kStart{Duration(1'000'000)};

ContentPart Part(int64_t id, std::string data, bool is_last = true) {
  ContentPart part;
  part.fields.id = MessageId(id);
  part.fields.size_bytes = data.size();
  part.fields.data = std::move(data);
  part.is_last = is_last;
  return part;
}

std::string Lz4(const std::string& text) {
  std::string out(static_cast<size_t>(LZ4_compressBound(static_cast<int>(text.size()))), '\0');
  const int size = LZ4_compress_default(text.data(), out.data(), static_cast<int>(text.size()),
                                        static_cast<int>(out.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

class ContentCacheTest : public testing::Test {
 protected:
  void Add(ContentPart part) { cache_.Add(1, std::move(part), ready_); }
  EntryPtr Attach(int64_t id, int64_t message) {
    return cache_.Attach(MakeEntry(session_, id, message), kStart, must_ask_);
  }

  ContentCache cache_{{.most_bytes = 10'000, .most_idle_bytes = 3'000, .most_wait = Duration(500)}};
  std::shared_ptr<Session> session_ = std::make_shared<Session>(1);
  std::vector<EntryPtr> ready_;
  bool must_ask_ = false;
};

TEST_F(ContentCacheTest, GivesAnEntryTheContentThatCameBefore) {
  Add(Part(7, "hello"));
  EntryPtr entry = Attach(1, 7);
  ASSERT_NE(entry, nullptr);
  EXPECT_FALSE(must_ask_);
  std::shared_ptr<const DecodedBody> keep;
  EXPECT_EQ(*entry->content->Body(keep), "hello");
}

TEST_F(ContentCacheTest, AsksOnceForAContentThatSeveralEntriesLack) {
  EXPECT_EQ(Attach(1, 7), nullptr);
  EXPECT_TRUE(must_ask_);
  EXPECT_EQ(Attach(2, 7), nullptr);
  EXPECT_FALSE(must_ask_);

  Add(Part(7, "hello"));
  ASSERT_EQ(ready_.size(), 2U);
  EXPECT_TRUE(ready_[0]->content);
  EXPECT_TRUE(ready_[1]->content);
  EXPECT_EQ(cache_.waiting_count(), 0U);
}

TEST_F(ContentCacheTest, PutsPartsTogetherInOrderAndPerSession) {
  ContentPart first = Part(7, "abc", false);
  first.fields.size_bytes = 9;
  first.fields.return_path = "me@example.com";
  Add(std::move(first));
  cache_.Add(2, Part(7, "zzz", false), ready_);
  Add(Part(7, "def", false));
  Add(Part(7, "ghi"));

  EntryPtr entry = Attach(1, 7);
  ASSERT_NE(entry, nullptr);
  std::shared_ptr<const DecodedBody> keep;
  EXPECT_EQ(*entry->content->Body(keep), "abcdefghi");
  EXPECT_EQ(entry->content->fields().return_path, "me@example.com");
}

TEST_F(ContentCacheTest, KeepsWhatIsPinnedAndDropsTheOldestOfTheRest) {
  Add(Part(1, std::string(2'000, 'a')));
  EntryPtr pins_first = Attach(1, 1);
  Add(Part(2, std::string(2'000, 'b')));
  Add(Part(3, std::string(2'000, 'c')));
  cache_.Trim();

  EXPECT_EQ(Attach(2, 2), nullptr) << "the oldest without a pin had to go";
  EXPECT_NE(Attach(3, 3), nullptr);
  EXPECT_NE(Attach(4, 1), nullptr);
}

TEST_F(ContentCacheTest, LetsGoWhenTheLastPinGoes) {
  for (int64_t id = 1; id <= 4; ++id) Add(Part(id, std::string(1'000, 'a')));
  std::vector<EntryPtr> entries;
  for (int64_t id = 1; id <= 4; ++id) entries.push_back(Attach(id, id));
  cache_.Trim();
  EXPECT_EQ(cache_.content_count(), 4U);

  entries.clear();
  EXPECT_LE(cache_.bytes(), 3'000U);
}

TEST_F(ContentCacheTest, RefusesContentBeyondTwiceItsBound) {
  for (int64_t id = 1; id <= 40; ++id) {
    Add(Part(id, std::string(1'000, 'a'), false));
  }
  EXPECT_LE(cache_.bytes(), 20'000U);
  Add(Part(40, "end"));
  EXPECT_EQ(Attach(1, 40), nullptr) << "a part of it was dropped";
}

TEST_F(ContentCacheTest, ForgetsTheHalfReceivedContentsOfALostSession) {
  Add(Part(7, std::string(1'000, 'a'), false));
  cache_.Forget(1);
  EXPECT_EQ(cache_.bytes(), 0U);
}

TEST_F(ContentCacheTest, GivesUpEntriesThatWaitedTooLong) {
  EXPECT_EQ(Attach(1, 7), nullptr);
  EXPECT_TRUE(cache_.TakeOverdue(kStart + Duration(499)).empty());
  EXPECT_EQ(cache_.TakeOverdue(kStart + Duration(500)).size(), 1U);
  EXPECT_EQ(cache_.waiting_count(), 0U);
}

TEST_F(ContentCacheTest, TakesTheWaitingEntriesThatAFilterNames) {
  Attach(1, 7);
  Attach(2, 7);
  const auto taken = cache_.TakeWaiting([](const Entry& e) { return e.id == QueueEntryId(2); });
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0]->id, QueueEntryId(2));
  EXPECT_EQ(cache_.waiting_count(), 1U);
}

TEST_F(ContentCacheTest, DecodesLz4AndSharesTheDecodedBytes) {
  const std::string text(5'000, 'x');
  ContentPart part = Part(7, Lz4(text));
  part.fields.size_bytes = text.size();
  part.fields.encoding = ContentEncoding::kLz4;
  Add(std::move(part));
  EntryPtr entry = Attach(1, 7);

  std::shared_ptr<const DecodedBody> one, two;
  EXPECT_EQ(*entry->content->Body(one), text);
  EXPECT_EQ(*entry->content->Body(two), text);
  EXPECT_EQ(one, two);
}

TEST_F(ContentCacheTest, BrokenBytesAreAnErrorAndCanBeDiscarded) {
  ContentPart part = Part(7, Lz4(std::string(5'000, 'x')));
  part.fields.size_bytes = 4'000;
  part.fields.encoding = ContentEncoding::kLz4;
  Add(std::move(part));
  EntryPtr entry = Attach(1, 7);
  std::shared_ptr<const DecodedBody> keep;
  EXPECT_EQ(entry->content->Body(keep).status().code(), absl::StatusCode::kDataLoss);

  cache_.Discard(*entry->content);
  entry.reset();
  EXPECT_EQ(Attach(2, 7), nullptr);
  EXPECT_EQ(cache_.bytes(), 0U);
}

}  // namespace
}  // namespace sluice::egress

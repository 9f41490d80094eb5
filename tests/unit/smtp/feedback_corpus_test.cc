// Bounces and complaints in the shapes of the large providers and the common servers: each is read as the
// table beside the files says, and each with a surviving token is matched to its message.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/text.h"
#include "policy/bounce_class.h"
#include "smtp/feedback_message.h"
#include "smtp/token.h"
#include "smtp/verp.h"

namespace sluice {
namespace {

struct Row {
  std::string file, kind, recipient, status, reply_class, token, from;
  friend void PrintTo(const Row& row, std::ostream* out) { *out << row.file; }
};

std::string Folder() { return SLUICE_SOURCE_DIR "/tests/data/feedback/"; }

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<Row> Table() {
  std::vector<Row> rows;
  std::istringstream lines(ReadFile(Folder() + "expected.tsv"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream fields(line);
    Row& row = rows.emplace_back();
    for (std::string* field : {&row.file, &row.kind, &row.recipient, &row.status, &row.reply_class,
                               &row.token, &row.from}) {
      std::getline(fields, *field, '\t');
    }
    if (row.from == "<>") row.from.clear();
  }
  return rows;
}

TokenKeys Keys() { return *TokenKeys::Parse("0123456789abcdef0123456789abcdef"); }
TokenContent Sent() {
  const int64_t message = MakeId(ShardId(3), WriterId(77), 4'000'000'000);
  return {.message = MessageId(message), .entry = QueueEntryId(message + 2)};
}

std::string WithTokens(std::string text, const std::string& token) {
  constexpr std::string_view kMark = "@TOKEN@";
  for (size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at)) {
    text.replace(at, kMark.size(), token);
  }
  return text;
}

std::string StatusText(const SmtpReply& reply) {
  if (reply.enhanced) return ToString(*reply.enhanced);
  return reply.code == 0 ? "-" : std::to_string(reply.code);
}

class FeedbackCorpusTest : public ::testing::TestWithParam<Row> {
 protected:
  FeedbackMessage Read(const std::string& token) const {
    const Row& row = GetParam();
    const std::string to =
        row.token == "envelope" ? MakeVerpAddress(token, "bounces.shop.example") : "fbl@feedback.shop.example";
    return ReadFeedbackMessage(WithTokens(ReadFile(Folder() + row.file + ".eml"), token), to, row.from);
  }
  static std::vector<TokenContent> Genuine(const FeedbackMessage& message) {
    std::vector<TokenContent> found;
    for (const std::string& token : message.tokens) {
      if (const auto content = Keys().Decode(token); content.ok()) found.push_back(*content);
    }
    return found;
  }
};

TEST_P(FeedbackCorpusTest, IsReadAsTheTableSays) {
  const Row& row = GetParam();
  const FeedbackMessage message = Read(Keys().Encode(Sent()));
  EXPECT_EQ(ToString(message.kind), row.kind) << "shape " << message.shape;
  if (row.recipient == "-") return;
  ASSERT_EQ(message.recipients.size(), 1u);
  EXPECT_EQ(message.recipients[0].address, row.recipient);
  if (row.kind != "bounce") return;
  EXPECT_EQ(StatusText(message.recipients[0].reply), row.status) << ToString(message.recipients[0].reply);
  EXPECT_EQ(ToString(ClassifyBounce(message.recipients[0].reply)), row.reply_class)
      << ToString(message.recipients[0].reply);
}

TEST_P(FeedbackCorpusTest, IsMatchedByItsToken) {
  const std::vector<TokenContent> found = Genuine(Read(Keys().Encode(Sent())));
  if (GetParam().token == "none") {
    EXPECT_TRUE(found.empty());
  } else {
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found.front(), Sent());
  }
}

TEST_P(FeedbackCorpusTest, IsNotMatchedByATokenOfOthers) {
  const auto others = TokenKeys::Parse("fedcba9876543210fedcba9876543210");
  EXPECT_TRUE(Genuine(Read(others->Encode(Sent()))).empty());
}

INSTANTIATE_TEST_SUITE_P(Corpus, FeedbackCorpusTest, ::testing::ValuesIn(Table()),
                         [](const auto& test) {
                           std::string name = test.param.file;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

TEST(FeedbackCorpusTable, IsAsLargeAsPromised) { EXPECT_GE(Table().size(), 60u); }

}  // namespace
}  // namespace sluice

#include "rig/command.h"

#include <gtest/gtest.h>

namespace sluice::rig {
namespace {

TEST(CommandTest, KnowsVerbsInAnyCase) {
  EXPECT_EQ(ParseCommand("EHLO mta11.example.com").verb, Verb::kEhlo);
  EXPECT_EQ(ParseCommand("eHlO mta11.example.com").argument, "mta11.example.com");
  EXPECT_EQ(ParseCommand("StartTLS").verb, Verb::kStartTls);
  EXPECT_EQ(ParseCommand("DATA ").verb, Verb::kData);
}

TEST(CommandTest, KnowsNoVerbThatOnlyBeginsLikeOne) {
  EXPECT_EQ(ParseCommand("DATAX").verb, Verb::kUnknown);
  EXPECT_EQ(ParseCommand("MAI FROM:<>").verb, Verb::kUnknown);
  EXPECT_EQ(ParseCommand("STARTTLSX").verb, Verb::kUnknown);
  EXPECT_EQ(ParseCommand("").verb, Verb::kUnknown);
}

TEST(PathTest, TakesAddressAndParameters) {
  const auto path = ParsePath("FROM:<a@b.example> SIZE=10 BODY=8BITMIME", "FROM:");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->address, "a@b.example");
  std::string_view parameters = path->parameters;
  EXPECT_EQ(NextParameter(parameters), "SIZE=10");
  EXPECT_EQ(NextParameter(parameters), "BODY=8BITMIME");
  EXPECT_EQ(NextParameter(parameters), "");
}

TEST(PathTest, TakesTheNullSender) {
  const auto path = ParsePath("from: <>", "FROM:");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->address, "");
}

TEST(PathTest, SeesPastAnAngleBracketInAQuotedLocalPart) {
  const auto path = ParsePath(R"(TO:<"a>\"b"@c.example> NOTIFY=NEVER)", "TO:");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->address, R"("a>\"b"@c.example)");
  EXPECT_EQ(path->parameters, "NOTIFY=NEVER");
}

TEST(PathTest, RefusesWhatIsNoPath) {
  EXPECT_FALSE(ParsePath("FROM:a@b", "FROM:"));
  EXPECT_FALSE(ParsePath("FROM:<a@b", "FROM:"));
  EXPECT_FALSE(ParsePath("FROM:<a@b>SIZE=1", "FROM:"));
  EXPECT_FALSE(ParsePath("TO:<a@b>", "FROM:"));
}

TEST(ChunkTest, ReadsSizeAndLast) {
  EXPECT_EQ(ParseChunk("0 LAST")->size, 0U);
  EXPECT_TRUE(ParseChunk("10 last")->last);
  EXPECT_FALSE(ParseChunk("10")->last);
}

TEST(ChunkTest, RefusesWhatCannotBeCounted) {
  for (const char* argument :
       {"", "LAST", "-1", "1x", "10 LASTLY", "10 LAST 2", "99999999999999999999"}) {
    EXPECT_FALSE(ParseChunk(argument)) << argument;
  }
}

TEST(AddressPartsTest, SplitsAtTheLastAt) {
  EXPECT_EQ(SplitAddress("\"a@b\"@c.example").domain, "c.example");
  EXPECT_EQ(SplitAddress("\"a@b\"@c.example").local, "\"a@b\"");
  EXPECT_EQ(SplitAddress("postmaster").local, "postmaster");
}

}  // namespace
}  // namespace sluice::rig

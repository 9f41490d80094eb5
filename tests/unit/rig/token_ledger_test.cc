#include "rig/token_ledger.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "rig/latency.h"

namespace sluice::rig {
namespace {

Acceptance At(int64_t micros, std::string source, bool answered = true) {
  return {FromMicros(micros), std::move(source), answered};
}

TEST(TokenLedgerTest, CountsPairsNotTokens) {
  TokenLedger ledger(100);
  ledger.Accept("aa", "x@d.test", At(1, "127.0.0.1:1"));
  ledger.Accept("aa", "y@d.test", At(1, "127.0.0.1:1"));
  EXPECT_EQ(ledger.totals().distinct, 2U);
  EXPECT_EQ(ledger.totals().duplicated, 0U);
}

TEST(TokenLedgerTest, TellsWhereAndWhenADuplicateCame) {
  TokenLedger ledger(100);
  ledger.Accept("aa", "x@d.test", At(1, "127.0.0.1:1", false));
  ledger.Accept("aa", "x@d.test", At(2, "127.0.0.2:2"));
  ledger.Accept("aa", "x@d.test", At(3, "127.0.0.3:3"));
  ledger.Accept("bb", "x@d.test", At(4, "127.0.0.4:4"));

  const TokenLedger::Totals totals = ledger.totals();
  EXPECT_EQ(totals.acceptances, 4U);
  EXPECT_EQ(totals.distinct, 2U);
  EXPECT_EQ(totals.duplicated, 1U);
  EXPECT_EQ(totals.extra, 2U);
  EXPECT_EQ(totals.unanswered, 1U);
  const std::vector<Duplicate> duplicates = ledger.Duplicates();
  ASSERT_EQ(duplicates.size(), 1U);
  EXPECT_EQ(duplicates[0].token, "aa");
  EXPECT_EQ(duplicates[0].times, 3U);
  ASSERT_EQ(duplicates[0].acceptances.size(), 3U);
  EXPECT_EQ(duplicates[0].acceptances[0].source, "127.0.0.1:1");
  EXPECT_FALSE(duplicates[0].acceptances[0].answered);
  EXPECT_EQ(duplicates[0].acceptances[2].at, FromMicros(3));
  EXPECT_EQ(ledger.Times("aa", "x@d.test"), 3U);
  EXPECT_EQ(ledger.Times("cc", "x@d.test"), 0U);
}

TEST(TokenLedgerTest, SaysWhatItHadNoRoomFor) {
  TokenLedger ledger(2);
  for (int i = 0; i < 5; ++i) ledger.Accept(Cat("t", i), "x@d.test", At(i, "127.0.0.1:1"));
  EXPECT_EQ(ledger.totals().distinct, 2U);
  EXPECT_EQ(ledger.totals().untracked, 3U);
  ledger.Accept("t0", "x@d.test", At(9, "127.0.0.1:1"));
  EXPECT_EQ(ledger.totals().duplicated, 1U);
}

TEST(TokenLedgerTest, BoundsTheListOfDuplicates) {
  TokenLedger ledger(100'000);
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < TokenLedger::kMaxDuplicates + 5; ++i)
      ledger.Accept(Cat(i), "x", At(1, "s"));
  }
  for (int i = 0; i < 20; ++i) ledger.Accept("0", "x", At(1, "s"));
  EXPECT_EQ(ledger.Duplicates().size(), TokenLedger::kMaxDuplicates);
  EXPECT_EQ(ledger.Duplicates()[0].acceptances.size(), TokenLedger::kMaxAcceptances);
  EXPECT_EQ(ledger.Duplicates()[0].times, 22U);
  EXPECT_EQ(ledger.totals().duplicated, TokenLedger::kMaxDuplicates + 5);
}

TEST(TokenTest, CarriesItsSubmitTime) {
  const std::string token = MakeToken(FromMicros(1'800'000'000'123'456), 42);
  EXPECT_EQ(token.size(), 32U);
  EXPECT_EQ(SubmittedAt(token), FromMicros(1'800'000'000'123'456));
  EXPECT_FALSE(SubmittedAt("00ff"));
  EXPECT_FALSE(SubmittedAt(std::string(32, 'f')));
  EXPECT_FALSE(SubmittedAt(std::string(32, 'x')));
}

TEST(LatencyHistogramTest, IsAtMostAThirtySecondAbove) {
  for (const int64_t micros :
       {0L, 7L, 15L, 16L, 17L, 100L, 999L, 12'345L, 3'000'000L, 7'200'000'000L}) {
    LatencyHistogram histogram;
    histogram.Add(Duration(micros));
    histogram.Add(Duration(1'000'000'000'000));
    const int64_t seen = histogram.Percentile(0.5).count();
    EXPECT_GE(seen, micros);
    EXPECT_LE(seen, micros + micros / 32 + 1);
  }
}

TEST(LatencyHistogramTest, RanksPercentiles) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.Percentile(0.5), Duration(0));
  for (int i = 1; i <= 100; ++i) histogram.Add(Duration(i * 1000));
  EXPECT_NEAR(static_cast<double>(histogram.Percentile(0.5).count()), 50'000, 1'600);
  EXPECT_NEAR(static_cast<double>(histogram.Percentile(0.99).count()), 99'000, 3'200);
  EXPECT_EQ(histogram.max(), Duration(100'000));
}

}  // namespace
}  // namespace sluice::rig

#include "net/dane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TlsaAnswer Answer(std::vector<TlsaRecord> records, bool is_secure = true) {
  TlsaAnswer answer;
  answer.status = records.empty() ? DnsStatus::kNoData : DnsStatus::kOk;
  answer.records = std::move(records);
  answer.is_secure = is_secure;
  return answer;
}

const TlsaRecord kGood{3, 1, 1, std::string(32, 'x')};
const TlsaRecord kUseless{1, 1, 1, std::string(32, 'x')};

TEST(DaneTest, NamesWhereTheRecordsAre) {
  EXPECT_EQ(TlsaName("mx.example", 25), "_25._tcp.mx.example");
}

TEST(DaneTest, BaseDomainsFollowSecureAliasesAndNeedSecureAddresses) {
  AddressAnswer addresses;
  addresses.is_secure = true;
  EXPECT_THAT(TlsaBaseDomains("mx.example", addresses), ElementsAre("mx.example"));
  addresses.is_alias = true;
  addresses.canonical_name = "real.example";
  EXPECT_THAT(TlsaBaseDomains("mx.example", addresses), ElementsAre("real.example", "mx.example"));
  addresses.is_secure = false;
  EXPECT_THAT(TlsaBaseDomains("mx.example", addresses), IsEmpty());
}

TEST(DaneTest, JudgesAnswers) {
  EXPECT_EQ(JudgeTlsa("mx", Answer({kGood, kUseless})).state, DaneState::kUsable);
  EXPECT_THAT(JudgeTlsa("mx", Answer({kGood, kUseless})).records, ElementsAre(kGood));
  EXPECT_EQ(JudgeTlsa("mx", Answer({kUseless})).state, DaneState::kUnusable);
  EXPECT_EQ(JudgeTlsa("mx", Answer({})).state, DaneState::kNone);
  EXPECT_EQ(JudgeTlsa("mx", Answer({kGood}, false)).state, DaneState::kNone);
  EXPECT_EQ(JudgeTlsa("mx", TlsaAnswer()).state, DaneState::kFailed);
}

}  // namespace
}  // namespace sluice

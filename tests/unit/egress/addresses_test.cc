#include "egress/addresses.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice::egress {
namespace {

using std::chrono::seconds;
const SteadyInstant kStart{Duration(1'000'000)};

AssignedSource Source(std::string name, std::string address, int64_t epoch = 1) {
  AssignedSource source;
  source.name = SourceName(std::move(name));
  source.bind_address = std::move(address);
  source.epoch = epoch;
  return source;
}

class AddressesTest : public testing::Test {
 protected:
  Addresses Make(std::vector<std::string> allowed = {}) {
    return Addresses(std::move(allowed), [this](const std::string& address) {
      return missing_.contains(address) ? absl::UnavailableError("not here") : absl::OkStatus();
    });
  }
  std::set<std::string> missing_;
};

TEST_F(AddressesTest, UsesOnlyWhatATestBindProved) {
  missing_.insert("127.0.0.12");
  Addresses addresses = Make();
  const auto results =
      addresses.Assign({Source("a", "127.0.0.11"), Source("b", "127.0.0.12")}, kStart);

  ASSERT_EQ(results.size(), 2U);
  EXPECT_TRUE(results[0].status.ok());
  EXPECT_FALSE(results[1].status.ok());
  ASSERT_EQ(addresses.Usable().size(), 1U);
  EXPECT_EQ(addresses.Usable()[0].name, SourceName("a"));
}

TEST_F(AddressesTest, RefusesAddressesThatTheConfigurationDoesNotName) {
  Addresses addresses = Make({"127.0.0.11"});
  const auto results =
      addresses.Assign({Source("a", "127.0.0.11"), Source("b", "127.0.0.12")}, kStart);
  EXPECT_TRUE(results[0].status.ok());
  EXPECT_EQ(results[1].status.code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(AddressesTest, ReplacesTheList) {
  Addresses addresses = Make();
  addresses.Assign({Source("a", "127.0.0.11"), Source("b", "127.0.0.12")}, kStart);
  addresses.Assign({Source("b", "127.0.0.12")}, kStart);
  ASSERT_EQ(addresses.Usable().size(), 1U);
  EXPECT_EQ(addresses.Usable()[0].name, SourceName("b"));
}

TEST_F(AddressesTest, IgnoresAnOlderEpochOfASource) {
  Addresses addresses = Make();
  addresses.Assign({Source("a", "127.0.0.11", 5)}, kStart);
  const auto results = addresses.Assign({Source("a", "127.0.0.12", 4)}, kStart);
  EXPECT_EQ(results[0].epoch, 5);
  EXPECT_EQ(addresses.Usable()[0].bind_address, "127.0.0.11");
}

TEST_F(AddressesTest, ReportsALostSourceOnceAndAgainWhenItIsBack) {
  Addresses addresses = Make();
  addresses.Assign({Source("a", "127.0.0.11")}, kStart);
  const absl::Status error = absl::FailedPreconditionError("gone");
  ASSERT_EQ(addresses.Lost(SourceName("a"), error, kStart).size(), 1U);
  EXPECT_TRUE(addresses.Lost(SourceName("a"), error, kStart).empty());
  EXPECT_TRUE(addresses.Usable().empty());

  missing_.insert("127.0.0.11");
  EXPECT_TRUE(addresses.Retry(kStart + seconds(5)).empty());
  missing_.clear();
  EXPECT_TRUE(addresses.Retry(kStart + seconds(9)).empty()) << "tried too soon";
  const auto back = addresses.Retry(kStart + seconds(10));
  ASSERT_EQ(back.size(), 1U);
  EXPECT_TRUE(back[0].status.ok());
  EXPECT_EQ(addresses.Usable().size(), 1U);
}

TEST(TestBindTcpTest, ProvesLoopbackAndRefusesWhatIsNotHere) {
  EXPECT_TRUE(TestBindTcp("127.0.0.11").ok());
  EXPECT_EQ(TestBindTcp("192.0.2.1").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(TestBindTcp("2001:db8::1").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(TestBindTcp("mta1.example.com").code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sluice::egress

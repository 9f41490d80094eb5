#include "egress/key_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "unit/smtp/test_keys.h"

namespace sluice::egress {
namespace {

using testing::HasSubstr;

class KeyRingTest : public testing::Test {
 protected:
  KeyRingTest() {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  ~KeyRingTest() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& name, std::string_view text) {
    std::ofstream(directory_ + "/new") << text;
    std::filesystem::rename(directory_ + "/new", directory_ + "/" + name);
  }
  static SigningKey Rule(std::string domain, std::string file) {
    return {"shop", std::move(domain), "s1", std::move(file), "ed25519-sha256"};
  }
  const DkimPrivateKey* KeyOf(std::string_view domain) const {
    const KeyGroup* group = ring_.Read()->Find("shop", domain);
    return group == nullptr ? nullptr : group->front().key.get();
  }

  const std::string directory_ = testing::TempDir() + "key_ring_test";
  SystemClock clock_;
  CapturingSink log_;
  const Logger logger_{log_, clock_, "test"};
  KeyRing ring_{directory_, directory_ + "/tokens", logger_};
};

TEST_F(KeyRingTest, TheLongestDomainSignsAndOthersTenantsAreNotSigned) {
  Write("a.pem", kRfcEd25519Key);
  ring_.SetRules({Rule("shop.example", "a.pem"), Rule("news.shop.example", "a.pem")});
  const auto keys = ring_.Read();
  EXPECT_EQ(keys->Find("shop", "x.news.shop.example")->front().rule.domain, "news.shop.example");
  EXPECT_EQ(keys->Find("shop", "shop.example")->front().rule.domain, "shop.example");
  EXPECT_EQ(keys->Find("shop", "example"), nullptr);
  EXPECT_EQ(keys->Find("shop", ""), nullptr);
  EXPECT_EQ(keys->Find("other", "shop.example"), nullptr);
}

TEST_F(KeyRingTest, AKeyThatIsMissingIsDueUntilItComes) {
  ring_.SetRules({Rule("shop.example", "a.pem")});
  ASSERT_NE(ring_.Read()->Find("shop", "shop.example"), nullptr);
  EXPECT_EQ(KeyOf("shop.example"), nullptr);
  EXPECT_EQ(ring_.missing_count(), 1u);
  EXPECT_THAT(log_.Text(), HasSubstr("event=dkim_key_not_usable key=a.pem"));
  Write("a.pem", kRfcEd25519Key);
  ring_.Refresh();
  EXPECT_NE(KeyOf("shop.example"), nullptr);
  EXPECT_EQ(ring_.missing_count(), 0u);
}

TEST_F(KeyRingTest, ASpoiltFileLeavesTheLastGoodKeyAndATakenOneDoesNot) {
  Write("a.pem", kRfcEd25519Key);
  ring_.SetRules({Rule("shop.example", "a.pem")});
  const DkimPrivateKey* const good = KeyOf("shop.example");
  ASSERT_NE(good, nullptr);
  Write("a.pem", "half a k");
  ring_.Refresh();
  EXPECT_EQ(KeyOf("shop.example"), good);
  std::filesystem::remove(directory_ + "/a.pem");
  ring_.Refresh();
  EXPECT_EQ(KeyOf("shop.example"), nullptr);
}

TEST_F(KeyRingTest, SaysOnceWhatIsWrong) {
  ring_.SetRules({Rule("shop.example", "a.pem")});
  const size_t size = log_.Text().size();
  ring_.Refresh();
  ring_.Refresh();
  EXPECT_EQ(log_.Text().size(), size);
}

TEST_F(KeyRingTest, TokenSecretsComeAndChange) {
  EXPECT_EQ(ring_.Read()->tokens(), nullptr);
  Write("tokens", "0123456789abcdef0123456789abcdef\n");
  ring_.Refresh();
  ASSERT_NE(ring_.Read()->tokens(), nullptr);
  Write("tokens", "short\n");
  ring_.Refresh();
  EXPECT_NE(ring_.Read()->tokens(), nullptr);
}

}  // namespace
}  // namespace sluice::egress

#include "smtp/extensions.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

Extensions Read(std::initializer_list<std::string_view> lines) {
  Extensions extensions;
  for (const std::string_view line : lines) {
    extensions.AddLine(line);
  }
  return extensions;
}

TEST(ExtensionsTest, ReadsEveryKeywordItKnows) {
  const Extensions all =
      Read({"PIPELINING", "CHUNKING", "SIZE 35882577", "8BITMIME", "SMTPUTF8", "STARTTLS", "DSN",
            "ENHANCEDSTATUSCODES", "AUTH PLAIN LOGIN XOAUTH2"});
  EXPECT_TRUE(all.pipelining && all.chunking && all.size && all.eight_bit_mime && all.smtputf8 &&
              all.starttls && all.dsn && all.enhanced_status_codes);
  EXPECT_EQ(all.max_size_bytes, 35882577U);
  EXPECT_EQ(all.auth, (std::vector<std::string>{"PLAIN", "LOGIN", "XOAUTH2"}));
}

TEST(ExtensionsTest, ReadsAnyCaseAndStrayBlanks) {
  EXPECT_TRUE(Read({"pipeLining"}).pipelining);
  EXPECT_TRUE(Read({"  8bitmime  "}).eight_bit_mime);
  EXPECT_EQ(Read({"Size   12 "}).max_size_bytes, 12U);
}

TEST(ExtensionsTest, TakesSizeWithoutNumberAsNoLimit) {
  EXPECT_TRUE(Read({"SIZE"}).size);
  for (const char* line :
       {"SIZE", "SIZE 0", "SIZE x", "SIZE -1", "SIZE 12x", "SIZE 99999999999999999999999"}) {
    EXPECT_EQ(Read({line}).max_size_bytes, 0U) << line;
  }
}

TEST(ExtensionsTest, JoinsBothFormsOfAuthAndDropsNonsense) {
  EXPECT_EQ(Read({"AUTH=LOGIN plain", "AUTH PLAIN cram-md5 {x} "}).auth,
            (std::vector<std::string>{"LOGIN", "PLAIN", "CRAM-MD5"}));
}

TEST(ExtensionsTest, BoundsTheMechanisms) {
  std::string line = "AUTH";
  for (int i = 0; i < 100; ++i) {
    line += " M" + std::to_string(i);
  }
  EXPECT_EQ(Read({line}).auth.size(), Extensions::kMaxAuthMechanisms);
}

TEST(ExtensionsTest, PassesOverTheUnknown) {
  EXPECT_EQ(Read({"", " ", "X-ANYTHING 1", "PIPELININGX", "STARTTLS2", "mx.example greets you"}),
            Extensions());
}

}  // namespace
}  // namespace sluice

#include "base/base64.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

// RFC 4648 section 10.
TEST(Base64Test, EncodesAndDecodes) {
  const std::pair<std::string_view, std::string_view> pairs[] = {
      {"", ""},         {"f", "Zg=="},     {"fo", "Zm8="},        {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
      {"\xff\xfe\xfd", "//79"}};
  for (const auto& [plain, coded] : pairs) {
    EXPECT_EQ(EncodeBase64(plain), coded);
    EXPECT_EQ(DecodeBase64(coded).value(), plain);
  }
}

TEST(Base64Test, SkipsBlanksAndLineEndsOnly) {
  EXPECT_EQ(DecodeBase64("Zm9v\r\n YmFy\r\n").value(), "foobar");
  EXPECT_FALSE(DecodeBase64("Zm9v!").has_value());
  EXPECT_FALSE(DecodeBase64("Zg==Zg==").has_value());
  EXPECT_FALSE(DecodeBase64("Z").has_value());
  EXPECT_FALSE(DecodeBase64("Z===").has_value());
}

}  // namespace
}  // namespace sluice

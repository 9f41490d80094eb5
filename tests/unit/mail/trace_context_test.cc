#include "mail/trace_context.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace sluice {
namespace {

constexpr std::string_view kTrace = "4bf92f3577b34da6a3ce929d0e0e4736", kParent = "00f067aa0ba902b7";
std::string Of(std::string_view version, std::string_view trace, std::string_view parent, std::string_view rest) {
  return Cat(version, "-", trace, "-", parent, "-", rest);
}

TEST(TraceContextTest, VersionZeroIsTakenAsItIs) {
  for (const char* flags : {"00", "01", "ff"}) {
    const std::string text = Of("00", kTrace, kParent, flags);
    EXPECT_EQ(ParseTraceparent(text), text);
  }
}

TEST(TraceContextTest, ALaterVersionGoesOnAsVersionZero) {
  const std::string known = Of("00", kTrace, kParent, "01");
  EXPECT_EQ(ParseTraceparent(Of("01", kTrace, kParent, "01")), known);
  EXPECT_EQ(ParseTraceparent(Of("cc", kTrace, kParent, "01-what-the-future-will-be-like")), known);
  EXPECT_EQ(ParseTraceparent(Of("cc", kTrace, kParent, "01.what")), std::nullopt);
}

TEST(TraceContextTest, WhatIsMalformedIsNothing) {
  const std::string zeros(32, '0');
  for (const std::string& text :
       {std::string(), std::string("00"), Of("00", kTrace, kParent, "0"), Of("00", kTrace, kParent, "01-"),
        Of("00", kTrace, kParent, "01-x"), Of("ff", kTrace, kParent, "01"), Of("0", kTrace, kParent, "001"),
        Of("00", zeros, kParent, "01"), Of("00", kTrace, zeros.substr(0, 16), "01"), Of("00", kTrace, kParent, "0g"),
        Of("0X", kTrace, kParent, "01"), Of("00", "4BF92F3577B34DA6A3CE929D0E0E4736", kParent, "01"),
        Of("00", kTrace, "00F067AA0BA902B7", "01"), Of("00", kTrace.substr(1), kParent, "011"),
        " " + Of("00", kTrace, kParent, "01"), Of("00", kTrace, kParent, "01 "), Of("00", kTrace, kParent, "01\n"),
        Cat("00_", kTrace, "-", kParent, "-01"), Cat("00-", kTrace, "_", kParent, "-01"),
        Cat("00-", kTrace, "-", kParent, "_01")}) {
    EXPECT_EQ(ParseTraceparent(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace sluice

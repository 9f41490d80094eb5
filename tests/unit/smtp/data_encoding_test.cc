#include "smtp/data_encoding.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace sluice {
namespace {

using Pieces = std::vector<std::string_view>;

std::string Encoded(const Pieces& pieces, bool stuff_dots = true) {
  std::string out = "left over";
  EncodeContent(pieces, stuff_dots, out);
  return out;
}

TEST(DataEncodingTest, LetsUsualContentThrough) {
  const Pieces pieces{"Subject: x\r\n", "\r\nHello. World.\r\n"};
  const ContentScan scan = ScanContent(pieces);
  EXPECT_FALSE(scan.has_bare_line_end);
  EXPECT_FALSE(scan.has_leading_dot);
  EXPECT_TRUE(scan.ends_with_crlf);
  EXPECT_EQ(scan.size_bytes, 29U);
  EXPECT_EQ(Encoded(pieces), "Subject: x\r\n\r\nHello. World.\r\n");
}

TEST(DataEncodingTest, DoublesLeadingDotsAlsoOfLinesMadeOfDots) {
  EXPECT_EQ(Encoded({".\r\n..\r\n...\r\na.\r\n"}), "..\r\n...\r\n....\r\na.\r\n");
  EXPECT_TRUE(ScanContent(Pieces{"a\r\n.\r\n"}).has_leading_dot);
  EXPECT_TRUE(ScanContent(Pieces{".a\r\n"}).has_leading_dot);
  EXPECT_EQ(Encoded({".\r\n"}, false), ".\r\n");
}

TEST(DataEncodingTest, SeesLineEndsAcrossPieces) {
  EXPECT_TRUE(ScanContent(Pieces{"a\r", "\n", ".b\r\n"}).has_leading_dot);
  EXPECT_FALSE(ScanContent(Pieces{"a\r", "\nb\r", "\n"}).has_bare_line_end);
  EXPECT_TRUE(ScanContent(Pieces{"a\r", "b\r\n"}).has_bare_line_end);
  EXPECT_TRUE(ScanContent(Pieces{"a", "\nb\r\n"}).has_bare_line_end);
  EXPECT_EQ(Encoded({"a\r", "\n", ".b"}), "a\r\n..b\r\n");
}

TEST(DataEncodingTest, NeverLetsABareLineEndThrough) {
  EXPECT_EQ(Encoded({"a\n.\r\nMAIL"}), "a\r\n..\r\nMAIL\r\n");
  EXPECT_EQ(Encoded({"a\r.\r\n"}), "a\r\n..\r\n");
  EXPECT_EQ(Encoded({"a\r\r\nb"}), "a\r\n\r\nb\r\n");
  EXPECT_EQ(Encoded({"a\n\n"}), "a\r\n\r\n");
  EXPECT_EQ(Encoded({"a\r"}), "a\r\n");
}

TEST(DataEncodingTest, AddsAMissingFinalLineEnd) {
  EXPECT_FALSE(ScanContent(Pieces{"a"}).ends_with_crlf);
  EXPECT_FALSE(ScanContent(Pieces{"a\r"}).ends_with_crlf);
  EXPECT_TRUE(ScanContent(Pieces{""}).ends_with_crlf);
  EXPECT_EQ(Encoded({"a"}), "a\r\n");
  EXPECT_EQ(Encoded({}), "");
}

// What the encoder must hold for any content: stated over the bytes, not by a second encoder.
void ExpectSafe(const std::string& wire) {
  ASSERT_TRUE(wire.empty() || wire.ends_with("\r\n"));
  bool at_line_start = true;
  for (size_t i = 0; i < wire.size(); ++i) {
    if (wire[i] == '\r') {
      ASSERT_EQ(wire[i + 1], '\n');
    }
    if (wire[i] == '\n') {
      ASSERT_EQ(wire[i - 1], '\r');
    }
    if (at_line_start && wire[i] == '.') {
      ASSERT_EQ(wire[i + 1], '.');
      ++i;
    }
    at_line_start = wire[i] == '\n';
  }
}

TEST(DataEncodingTest, IsSafeAndStableForAnyContentInAnyPieces) {
  std::minstd_rand random(7);
  constexpr std::string_view kAlphabet = "\r\n.ab";
  for (int round = 0; round < 20'000; ++round) {
    std::string content;
    for (size_t n = random() % 12; n > 0; --n) {
      content += kAlphabet[random() % kAlphabet.size()];
    }
    const size_t cut = random() % (content.size() + 1);
    const Pieces pieces{std::string_view(content).substr(0, cut),
                        std::string_view(content).substr(cut)};
    const std::string wire = Encoded(pieces);
    ExpectSafe(wire);
    ASSERT_EQ(wire, Encoded({content})) << "the cut must not matter";
    const ContentScan scan = ScanContent(pieces);
    const std::string plain = Encoded(pieces, false);
    ASSERT_EQ(scan.has_bare_line_end || !scan.ends_with_crlf, plain != content);
    if (!scan.has_bare_line_end) {
      ASSERT_EQ(scan.has_leading_dot, wire != plain);
    }
  }
}

TEST(DataEncodingTest, TakesTimeInProportionForContentWithoutCr) {
  const std::string lines(4'000'000, '\n');
  EXPECT_EQ(Encoded({lines}).size(), 2 * lines.size());
  EXPECT_TRUE(ScanContent(Pieces{lines}).has_bare_line_end);
}

}  // namespace
}  // namespace sluice

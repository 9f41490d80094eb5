#include "mail/line_scan.h"

#include <gtest/gtest.h>

#include <string>

#include "mail/utf8.h"

namespace sluice {
namespace {

// What ScanLines promises, a byte at a time.
LineScan SlowScan(std::string_view bytes, size_t longest) {
  size_t begin = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '\0') return {LineProblem::kNul, i, false};
    if (bytes[i] == '\r' && (i + 1 == bytes.size() || bytes[i + 1] != '\n'))
      return {LineProblem::kBareCr, i, false};
    if (bytes[i] != '\n') continue;
    if (i == 0 || bytes[i - 1] != '\r') return {LineProblem::kBareLf, i, false};
    if (i - 1 - begin > longest) return {LineProblem::kLongLine, begin, false};
    begin = i + 1;
  }
  if (bytes.size() - begin > longest) return {LineProblem::kLongLine, begin, false};
  return {LineProblem::kNone, 0, !IsAscii(bytes)};
}

TEST(LineScanTest, FindsEachProblemAtEveryOffsetOfItsBlocks) {
  const std::string line = "0123456789\r\n";
  std::string good;
  while (good.size() < 150) good += line;
  ASSERT_EQ(ScanLines(good, 20).problem, LineProblem::kNone);

  for (size_t at = 0; at < good.size(); ++at) {
    for (const char bad : {'\0', '\r', '\n', 'x', '\xff'}) {
      std::string bytes = good;
      bytes[at] = bad;
      const LineScan expected = SlowScan(bytes, 20);
      const LineScan scan = ScanLines(bytes, 20);
      EXPECT_EQ(scan.problem == LineProblem::kNone, expected.problem == LineProblem::kNone)
          << at << " " << int{bad};
      if (expected.problem == LineProblem::kNone) {
        EXPECT_EQ(scan.has_8bit, expected.has_8bit) << at;
      }
    }
  }
}

TEST(LineScanTest, AgreesWithTheSlowScanAtEveryLength) {
  std::string bytes;
  for (size_t size = 0; size < 200; ++size) {
    bytes += size % 13 == 11 ? '\r' : size % 13 == 12 ? '\n' : 'a';
    const LineScan expected = SlowScan(bytes, 11);
    const LineScan scan = ScanLines(bytes, 11);
    EXPECT_EQ(scan.problem, expected.problem) << size;
    EXPECT_EQ(scan.at, expected.at) << size;
  }
}

TEST(LineScanTest, NamesProblemAndPlace) {
  EXPECT_EQ(ScanLines("a\r\nb\nc", 998).problem, LineProblem::kBareLf);
  EXPECT_EQ(ScanLines("a\r\nb\nc", 998).at, 4U);
  EXPECT_EQ(ScanLines("a\rb\r\n", 998).problem, LineProblem::kBareCr);
  EXPECT_EQ(ScanLines("a\rb\r\n", 998).at, 1U);
  EXPECT_EQ(ScanLines("a\r\r\n", 998).problem, LineProblem::kBareCr);
  EXPECT_EQ(ScanLines("a\r", 998).problem, LineProblem::kBareCr);
  EXPECT_EQ(ScanLines("\n", 998).problem, LineProblem::kBareLf);
  EXPECT_EQ(ScanLines(std::string_view("a\0", 2), 998).problem, LineProblem::kNul);
  const std::string crossing = std::string(63, 'a') + "\rb\r\n";
  EXPECT_EQ(ScanLines(crossing, 998).problem, LineProblem::kBareCr);
  EXPECT_EQ(ScanLines(crossing, 998).at, 63U);
  EXPECT_EQ(ScanLines(std::string(63, 'a') + "\r\nb\r\n", 998).problem, LineProblem::kNone);
}

TEST(LineScanTest, ALineMayHaveExactlyTheLimit) {
  const std::string line(998, 'x');
  EXPECT_EQ(ScanLines("a\r\n" + line + "\r\n", 998).problem, LineProblem::kNone);
  EXPECT_EQ(ScanLines("a\r\n" + line, 998).problem, LineProblem::kNone);
  EXPECT_EQ(ScanLines("a\r\n" + line + "x\r\n", 998).problem, LineProblem::kLongLine);
  EXPECT_EQ(ScanLines("a\r\n" + line + "x\r\n", 998).at, 3U);
  EXPECT_EQ(ScanLines("a\r\n" + line + "x", 998).problem, LineProblem::kLongLine);
}

TEST(LineScanTest, CountsLinesFromOne) {
  EXPECT_EQ(LineNumber("a\r\nb\r\nc", 0), 1U);
  EXPECT_EQ(LineNumber("a\r\nb\r\nc", 2), 1U);
  EXPECT_EQ(LineNumber("a\r\nb\r\nc", 6), 3U);
}

TEST(Utf8Test, FollowsRfc3629) {
  for (const char* good :
       {"", "a", "ü", "€", "😀", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsValidUtf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
                          "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82",
                          "a\xff"
                          "b",
                          "\xe2\x28\xa1"}) {
    EXPECT_FALSE(IsValidUtf8(bad)) << bad;
  }
}

}  // namespace
}  // namespace sluice

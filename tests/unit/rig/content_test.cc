#include "rig/content.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "rig/dot_scanner.h"

namespace sluice::rig {
namespace {

std::string DigestOf(std::string_view bytes) {
  return DigestText(XXH3_128bits(bytes.data(), bytes.size()));
}

struct Scanned {
  size_t taken = 0;
  bool done = false;
  uint64_t size = 0;
  std::string digest;
};

// Feeds `wire` in two pieces cut at `cut`.
Scanned Scan(std::string_view wire, size_t cut) {
  Content content;
  content.Begin(Recording::kDigest, false, "", "");
  DotScanner scanner;
  scanner.Reset();
  Scanned scanned;
  scanned.taken = scanner.Feed(wire.substr(0, cut), content);
  if (!scanner.done()) scanned.taken += scanner.Feed(wire.substr(cut), content);
  scanned.done = scanner.done();
  scanned.size = content.size();
  scanned.digest = DigestText(content.digest());
  return scanned;
}

struct DotCase {
  std::string wire;     // up to and with the end
  std::string content;  // what must be read out of it
};

class DotScannerTest : public testing::TestWithParam<DotCase> {};

TEST_P(DotScannerTest, FindsTheEndWhereverTheBufferIsCut) {
  const std::string wire = GetParam().wire + "MAIL FROM:<next@example>\r\n";
  for (size_t cut = 0; cut <= wire.size(); ++cut) {
    const Scanned scanned = Scan(wire, cut);
    ASSERT_TRUE(scanned.done) << cut;
    ASSERT_EQ(scanned.taken, GetParam().wire.size()) << cut;
    ASSERT_EQ(scanned.size, GetParam().content.size()) << cut;
    ASSERT_EQ(scanned.digest, DigestOf(GetParam().content)) << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, DotScannerTest,
    testing::Values(
        DotCase{".\r\n", ""}, DotCase{"a\r\n.\r\n", "a\r\n"}, DotCase{"..\r\n.\r\n", ".\r\n"},
        DotCase{"a\r\n....\r\n.\r\n", "a\r\n...\r\n"}, DotCase{"a\r\n.b\r\n.\r\n", "a\r\nb\r\n"},
        DotCase{"a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n"},  // bare LF ends no line
        DotCase{"a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n"},  // nor does bare CR
        DotCase{"a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n"},
        DotCase{"a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n"}, DotCase{"a\r\r\n.\r\n", "a\r\r\n"},
        DotCase{"\r\n.\r\n", "\r\n"},
        DotCase{std::string(100, 'x') + "\r\n" + std::string(40, 'y') + "\n.\r\n\r\n..z\r\n.\r\n",
                std::string(100, 'x') + "\r\n" + std::string(40, 'y') + "\n.\r\n\r\n.z\r\n"}));

TEST(DotScannerTest, DoesNotEndWithoutTheEnd) {
  for (const char* wire : {"a\r\n.", "a\r\n.\r", "a\r\n", "a\n.\n", "a\r\n..\r\n"}) {
    EXPECT_FALSE(Scan(wire, 1).done) << wire;
  }
}

TEST(FindDotLineTest, FindsItAtEveryOffset) {
  for (size_t before = 0; before < 70; ++before) {
    const std::string text = std::string(before, 'x') + "\r\n.";
    EXPECT_EQ(FindDotLine(text), before + 2);
    EXPECT_EQ(FindDotLine(text + std::string(40, 'y')), before + 2);
    EXPECT_EQ(FindDotLine(std::string(before, 'x') + "\n." + std::string(40, 'y')),
              std::string::npos);
  }
}

constexpr std::string_view kToken = "0123456789abcdef0123456789abcdef";

TEST(TokenTest, IsFoundWhereverTheBufferIsCut) {
  const std::string prefix = "Received: from x\r\n\tby y\r\n";
  const std::string suffix =
      std::string("X-Rig-Token: ") + std::string(kToken) + "\r\nSubject: a\r\n\r\nbody\r\n";
  const std::string all = prefix + suffix;
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    Content content;
    content.Begin(Recording::kDigest, true, "", "");
    content.Add(std::string_view(all).substr(0, cut));
    content.Add(std::string_view(all).substr(cut));
    ASSERT_EQ(content.token(), kToken) << cut;
    ASSERT_EQ(content.suffix_size(), suffix.size()) << cut;
    ASSERT_EQ(DigestText(content.suffix_digest()), DigestOf(suffix)) << cut;
    ASSERT_EQ(DigestText(content.digest()), DigestOf(all)) << cut;
  }
}

TEST(TokenTest, IsNotSoughtInTheBodyNorTakenWhenItIsNoHex) {
  for (const char* text : {"Subject: a\r\n\r\nX-Rig-Token: 00ff\r\n", "X-Rig-Token: nothex\r\n\r\n",
                           "X-Rig-Tokens: 00ff\r\n\r\n", "X-Rig-Token:\r\n\r\n"}) {
    Content content;
    content.Begin(Recording::kDigest, true, "", "");
    content.Add(text);
    EXPECT_EQ(content.token(), "") << text;
    EXPECT_EQ(content.suffix_size(), 0U) << text;
  }
}

TEST(TokenTest, OfAnEarlierMessageIsForgotten) {
  Content content;
  content.Begin(Recording::kEnvelope, true, "", "");
  content.Add("X-Rig-Token: 00ff\r\n\r\n");
  EXPECT_EQ(content.token(), "00ff");
  content.Begin(Recording::kEnvelope, true, "", "");
  content.Add("Subject: none\r\n\r\n");
  EXPECT_EQ(content.token(), "");
}

TEST(ContentFileTest, HoldsWhatCameAndOnlyWhenKept) {
  const std::string directory = testing::TempDir() + "rig_content";
  std::filesystem::create_directories(directory);
  Content content;
  content.Begin(Recording::kFull, true, directory, "kept.eml");
  content.Add("a\r\n");
  content.Add("b\r\n");
  content.Finish(true);
  EXPECT_EQ(content.file(), "kept.eml");
  std::ostringstream text;
  text << std::ifstream(directory + "/kept.eml").rdbuf();
  EXPECT_EQ(text.str(), "a\r\nb\r\n");

  content.Begin(Recording::kFull, true, directory, "gone.eml");
  content.Add("c\r\n");
  content.Finish(false);
  EXPECT_EQ(content.file(), "");
  EXPECT_FALSE(std::filesystem::exists(directory + "/gone.eml"));
  EXPECT_FALSE(std::filesystem::exists(directory + "/gone.eml.part"));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace sluice::rig

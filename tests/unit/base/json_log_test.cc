#include "base/json_log.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(JsonLogTest, ALineBecomesAnObject) {
  EXPECT_EQ(JsonOf("ts=2026-12-01T10:00:00.000001Z level=info event=attempt queue_entry=1080863919158853800 attempt=3 "
                   "duration_ms=0.312 possible_duplicate=true\n"),
            R"({"ts":"2026-12-01T10:00:00.000001Z","level":"info","event":"attempt","queue_entry":"1080863919158853800",)"
            R"("attempt":3,"duration_ms":0.312,"possible_duplicate":true})"
            "\n");
}

TEST(JsonLogTest, WhateverAValueHoldsComesBack) {
  std::string line = "event=x";
  AppendLogfmt(line, "reply", "450 4.2.0 \"slow\" a=b \\ \x01\n\x7f end");
  AppendLogfmt(line, "empty", "");
  EXPECT_EQ(JsonOf(line), R"({"event":"x","reply":"450 4.2.0 \"slow\" a=b \\ \u0001\u000a\u007f end","empty":""})"
                          "\n");
}

TEST(JsonLogTest, WhatIsNoUtf8IsReplaced) {
  EXPECT_EQ(JsonOf("reply=Zo\xc3\xab\xff\xc3 b=\xed\xa0\x80"), "{\"reply\":\"Zo\xc3\xab\\ufffd\\ufffd\",\"b\":\"\\ufffd\\ufffd\\ufffd\"}\n");
}

TEST(JsonLogTest, OnlyWhatJsonCallsANumberIsOne) {
  EXPECT_EQ(JsonOf("a=007 b=-5 c=1.5 d=.5 e=1. f=1e9 g=- h=0 i=127.0.0.1"),
            R"({"a":"007","b":-5,"c":1.5,"d":".5","e":"1.","f":"1e9","g":"-","h":0,"i":"127.0.0.1"})"
            "\n");
}

TEST(JsonLogTest, WhatIsNoLogfmtIsKeptAsText) {
  for (const char* line : {"terminate called", "=x", "a=b c", "a=\"no end", "a=\"b\"c", "a=\"b\\"}) {
    EXPECT_EQ(JsonOf(line).find(R"({"text":")"), 0u) << line;
  }
}

TEST(JsonLogTest, SeveralLinesGoTogether) {
  CapturingSink under;
  JsonSink sink(under);
  sink.Write("event=a\nevent=b n=1\n");
  EXPECT_EQ(under.Text(), "{\"event\":\"a\"}\n{\"event\":\"b\",\"n\":1}\n");
}

}  // namespace
}  // namespace sluice

#include "telemetry/delivery_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace sluice::telemetry {
namespace {

using ::testing::HasSubstr;

DeliveryLine Example() {
  DeliveryLine line;
  line.queue_entry = 42;
  line.message = 41;
  line.attempt = 2;
  line.tenant = "shop";
  line.recipient = "jane@example.com";
  line.source = "ip-11";
  line.provider = "google";
  line.stage = "rcpt";
  line.disposition = "deferred";
  line.reply = "451 4.7.1 try \"later\"\nor never";
  line.reply_class = "greylist";
  line.duration = std::chrono::microseconds(1'050);
  return line;
}

// Counts writes and can be made to stand still.
class SlowSink final : public LogSink {
 public:
  void Write(std::string_view text) override {
    const std::lock_guard held(gate);
    const std::lock_guard lock(mutex_);
    text_.append(text);
    ++writes_;
  }
  std::string Text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  int writes() const {
    const std::lock_guard lock(mutex_);
    return writes_;
  }
  std::mutex gate;

 private:
  mutable std::mutex mutex_;
  std::string text_;
  int writes_ = 0;
};

TEST(DeliveryLogTest, WritesOneLineWithTheFieldsOfTheVocabulary) {
  CapturingSink sink;
  const FakeClock clock(FromMicros(1'764'583'200'000'017));
  DeliveryLog log(sink, clock, {});
  log.Write(Example());
  log.Flush();
  EXPECT_EQ(
      sink.Text(),
      "ts=2025-12-01T10:00:00.000017Z level=info service=egress event=attempt queue_entry=42 "
      "message=41 "
      "attempt=2 tenant=shop recipient=jane@example.com source=ip-11 provider=google stage=rcpt "
      "disposition=deferred reply=\"451 4.7.1 try \\\"later\\\"\\nor never\" reply_class=greylist "
      "duration_ms=1.050\n");
}

TEST(DeliveryLogTest, HidesRecipientsWhenAskedTo) {
  CapturingSink sink;
  const FakeClock clock;
  {
    DeliveryLogOptions options;
    options.redact_recipients = true;
    DeliveryLog log(sink, clock, options);
    log.Write(Example());
  }
  EXPECT_THAT(sink.Text(), HasSubstr("recipient=***@example.com"));
  EXPECT_THAT(sink.Text(), Not(HasSubstr("jane")));
}

TEST(DeliveryLogTest, GathersLinesAndWritesTheRestAtTheEnd) {
  SlowSink sink;
  const FakeClock clock;
  {
    DeliveryLogOptions options;
    options.flush_interval = std::chrono::hours(1);
    DeliveryLog log(sink, clock, options);
    for (int i = 0; i < 100; ++i) log.Write(Example());
  }
  const std::string text = sink.Text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 100);
  EXPECT_LE(sink.writes(), 2);
}

TEST(DeliveryLogTest, AStalledReaderLosesLinesAndIsToldHowMany) {
  SlowSink sink;
  const FakeClock clock;
  DeliveryLogOptions options;
  options.most_bytes = 2'000;
  options.flush_bytes = 100;
  DeliveryLog log(sink, clock, options);
  std::unique_lock stalled(sink.gate);
  for (int i = 0; i < 1'000; ++i) log.Write(Example());
  EXPECT_GT(log.dropped(), 900);
  stalled.unlock();
  log.Flush();
  log.Flush();
  EXPECT_THAT(sink.Text(), HasSubstr("event=delivery_log_dropped lines="));
}

}  // namespace
}  // namespace sluice::telemetry

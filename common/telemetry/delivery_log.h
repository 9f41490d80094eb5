// The delivery log: exactly one logfmt line per attempt, the first thing that support greps. Lines
// are gathered and written together (at most every `flush_interval` or `flush_bytes`), so a line
// costs its formatting and a share of a write. It is a report for people: the event table is what
// counts, so a reader that stalls loses lines (counted) and never stops delivery.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/log.h"

namespace sluice::telemetry {

// One attempt as the log tells it; views need to live during Write only. Empty values are left out.
struct DeliveryLine {
  int64_t queue_entry = 0;
  int64_t message = 0;
  int attempt = 0;
  std::string_view tenant = {}, stream = {}, campaign = {};
  std::string_view traceparent = {};  // mail/trace_context.h
  std::string_view recipient = {};
  std::string_view pool = {}, source = {}, provider = {}, site = {};
  std::string_view mx_host = {}, mx_address = {};
  std::string_view stage = {}, disposition = {}, reply = {}, reply_class = {}, reply_rule = {};
  std::string_view tls = {};
  std::string_view times = {};  // ToString(StageTimes)
  Duration duration{};
  bool possible_duplicate = false;
};

struct DeliveryLogOptions {
  std::string service = "egress";
  // `***@example.com` instead of the address.
  bool redact_recipients = false;
  Duration flush_interval = std::chrono::milliseconds(50);
  size_t flush_bytes = 64 * 1024;
  // Beyond this much unwritten text, lines are dropped.
  size_t most_bytes = 4 * 1024 * 1024;
};

// Thread-safe. Writes what is left when destroyed.
class DeliveryLog {
 public:
  // `sink` and `clock` must outlive it; only its own thread calls the sink.
  DeliveryLog(LogSink& sink, const Clock& clock, DeliveryLogOptions options);
  ~DeliveryLog();
  DeliveryLog(const DeliveryLog&) = delete;
  DeliveryLog& operator=(const DeliveryLog&) = delete;

  void Write(const DeliveryLine& line);
  // Returns when everything written before is with the sink.
  void Flush();
  int64_t dropped() const;

 private:
  void AppendTimestamp(Instant now);
  void AppendLine(const DeliveryLine& line);
  void Run();

  LogSink& sink_;
  const Clock& clock_;
  const DeliveryLogOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string buffer_;
  int64_t second_ = -1;      // The second that second_text_ spells.
  std::string second_text_;  // "2026-12-01T10:00:00"
  uint64_t flushes_wanted_ = 0, flushes_done_ = 0;
  int64_t dropped_ = 0, dropped_told_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sluice::telemetry

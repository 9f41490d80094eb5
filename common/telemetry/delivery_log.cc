#include "telemetry/delivery_log.h"

#include "base/text.h"

namespace sluice::telemetry {
namespace {

void AppendWord(std::string& out, std::string_view key, std::string_view value) {
  if (!value.empty()) AppendLogfmt(out, key, value);
}

template <class Number>
void AppendNumber(std::string& out, std::string_view key, Number value) {
  Append(out, ' ', key, '=', value);
}

void AppendRecipient(std::string& out, std::string_view recipient, bool redact) {
  if (!redact || recipient.empty()) return AppendWord(out, "recipient", recipient);
  const size_t at = recipient.rfind('@');
  AppendLogfmt(
      out, "recipient",
      Cat("***", at == std::string_view::npos ? std::string_view() : recipient.substr(at)));
}

// Milliseconds with three decimals, without floating point.
void AppendMillis(std::string& out, std::string_view key, Duration d) {
  const int64_t micros = d.count() < 0 ? 0 : d.count();
  const std::string fraction = Cat(1000 + micros % 1000);
  Append(out, ' ', key, '=', micros / 1000, '.', std::string_view(fraction).substr(1));
}

}  // namespace

DeliveryLog::DeliveryLog(LogSink& sink, const Clock& clock, DeliveryLogOptions options)
    : sink_(sink), clock_(clock), options_(std::move(options)), thread_([this] { Run(); }) {}

DeliveryLog::~DeliveryLog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void DeliveryLog::Write(const DeliveryLine& line) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (buffer_.size() >= options_.most_bytes) {
      ++dropped_;
      return;
    }
    const bool was_below = buffer_.size() < options_.flush_bytes;
    wake = buffer_.empty();
    AppendLine(line);
    wake = wake || (was_below && buffer_.size() >= options_.flush_bytes);
  }
  if (wake) changed_.notify_all();
}

void DeliveryLog::AppendTimestamp(Instant now) {
  const int64_t micros = ToMicros(now);
  const int64_t second = micros / 1'000'000;
  if (second != second_) {
    second_ = second;
    second_text_ = ToString(FromMicros(second * 1'000'000)).substr(0, 19);
  }
  char fraction[8] = ".000000";
  int64_t rest = micros % 1'000'000;
  for (int i = 6; i >= 1; --i, rest /= 10) fraction[i] = static_cast<char>('0' + rest % 10);
  Append(buffer_, "ts=", second_text_, std::string_view(fraction, 7), "Z");
}

void DeliveryLog::AppendLine(const DeliveryLine& line) {
  std::string& out = buffer_;
  AppendTimestamp(clock_.Now());
  Append(out, " level=info service=", options_.service, " event=attempt");
  AppendNumber(out, "queue_entry", line.queue_entry);
  AppendNumber(out, "message", line.message);
  AppendNumber(out, "attempt", line.attempt);
  AppendWord(out, "tenant", line.tenant);
  AppendWord(out, "stream", line.stream);
  AppendWord(out, "campaign", line.campaign);
  AppendWord(out, "traceparent", line.traceparent);
  AppendRecipient(out, line.recipient, options_.redact_recipients);
  AppendWord(out, "pool", line.pool);
  AppendWord(out, "source", line.source);
  AppendWord(out, "provider", line.provider);
  AppendWord(out, "site", line.site);
  AppendWord(out, "mx_host", line.mx_host);
  AppendWord(out, "mx_address", line.mx_address);
  AppendWord(out, "stage", line.stage);
  AppendWord(out, "disposition", line.disposition);
  AppendWord(out, "reply", line.reply);
  AppendWord(out, "reply_class", line.reply_class);
  AppendWord(out, "reply_rule", line.reply_rule);
  AppendWord(out, "tls", line.tls);
  if (line.possible_duplicate) out += " possible_duplicate=true";
  AppendWord(out, "times", line.times);
  AppendMillis(out, "duration_ms", line.duration);
  out += '\n';
}

void DeliveryLog::Flush() {
  std::unique_lock lock(mutex_);
  const uint64_t mine = ++flushes_wanted_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return flushes_done_ >= mine; });
}

int64_t DeliveryLog::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void DeliveryLog::Run() {
  std::string out;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock,
                  [&] { return stop_ || flushes_wanted_ > flushes_done_ || !buffer_.empty(); });
    changed_.wait_for(lock, options_.flush_interval, [&] {
      return stop_ || flushes_wanted_ > flushes_done_ || buffer_.size() >= options_.flush_bytes;
    });
    const uint64_t wanted = flushes_wanted_;
    const bool ends = stop_;
    out.clear();
    out.swap(buffer_);
    if (dropped_ > dropped_told_) {
      Append(out, "ts=", ToString(clock_.Now()), " level=warn service=", options_.service,
             " event=delivery_log_dropped lines=", dropped_ - dropped_told_, "\n");
      dropped_told_ = dropped_;
    }
    lock.unlock();
    if (!out.empty()) sink_.Write(out);
    lock.lock();
    flushes_done_ = wanted;
    changed_.notify_all();
    if (ends && buffer_.empty()) return;
  }
}

}  // namespace sluice::telemetry

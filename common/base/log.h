// logfmt to stderr, one event a line: `ts=… level=info event=lease_taken shard=3`.
// No message bodies, no credentials; recipients only in the delivery log (telemetry/delivery_log.h).
#pragma once

#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "base/clock.h"

namespace sluice {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// Where finished lines go. Thread-safe.
class LogSink {
 public:
  virtual ~LogSink() = default;
  // `line` ends with a newline.
  virtual void Write(std::string_view line) = 0;
};

// One write(2) a line, so that lines of several threads never mix.
class StderrSink final : public LogSink {
 public:
  void Write(std::string_view line) override;
};

// For tests: keeps what was written.
class CapturingSink final : public LogSink {
 public:
  void Write(std::string_view line) override;
  std::string Text() const;

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

// A key and its value, quoted when it holds a blank, a quote, '=' or a control character.
struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  LogField(std::string_view k, T v) : key(k), value(Cat(v)) {}
  std::string_view key;
  std::string value;
};

void AppendLogfmt(std::string& line, std::string_view key, std::string_view value);

// Thread-safe. Passed by reference to whoever logs; `service` is put on every line.
class Logger {
 public:
  Logger(LogSink& sink, const Clock& clock, std::string service, LogLevel least = LogLevel::kInfo);

  void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) const;
  void Debug(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void Info(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  // Degraded but handled.
  void Warn(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  // A person must act.
  void Error(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  // A line that the caller has built (the delivery log): `ts`, `level` and `service` are put before it.
  void Line(std::string_view rest) const;

 private:
  LogSink& sink_;
  const Clock& clock_;
  std::string service_;
  LogLevel least_;
};

}  // namespace sluice

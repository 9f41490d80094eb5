#include "base/log.h"

#include <unistd.h>

#include <array>

namespace sluice {
namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};

bool NeedsQuotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

}  // namespace

void StderrSink::Write(std::string_view line) {
  while (!line.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
    if (n <= 0) return;  // Nobody reads our log: nothing to be done about it here.
    line.remove_prefix(static_cast<size_t>(n));
  }
}

void CapturingSink::Write(std::string_view line) {
  const std::lock_guard lock(mutex_);
  text_.append(line);
}
std::string CapturingSink::Text() const {
  const std::lock_guard lock(mutex_);
  return text_;
}

void AppendLogfmt(std::string& line, std::string_view key, std::string_view value) {
  line += ' ';
  line.append(key);
  line += '=';
  if (!NeedsQuotes(value)) {
    line.append(value);
    return;
  }
  constexpr char kHex[] = "0123456789abcdef";
  line += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      line += "\\x";
      line += kHex[byte >> 4];
      line += kHex[byte & 15];
    } else {
      line += c;
    }
  }
  line += '"';
}

Logger::Logger(LogSink& sink, const Clock& clock, std::string service, LogLevel least)
    : sink_(sink), clock_(clock), service_(std::move(service)), least_(least) {}

void Logger::Log(LogLevel level, std::string_view event,
                 std::initializer_list<LogField> fields) const {
  if (level < least_) return;
  std::string line = Cat("ts=", ToString(clock_.Now()), " level=",
                                  kLevelNames[static_cast<size_t>(level)], " service=", service_);
  AppendLogfmt(line, "event", event);
  for (const LogField& field : fields) AppendLogfmt(line, field.key, field.value);
  line += '\n';
  sink_.Write(line);
}

void Logger::Debug(std::string_view event, std::initializer_list<LogField> fields) const {
  Log(LogLevel::kDebug, event, fields);
}
void Logger::Info(std::string_view event, std::initializer_list<LogField> fields) const {
  Log(LogLevel::kInfo, event, fields);
}
void Logger::Warn(std::string_view event, std::initializer_list<LogField> fields) const {
  Log(LogLevel::kWarn, event, fields);
}
void Logger::Error(std::string_view event, std::initializer_list<LogField> fields) const {
  Log(LogLevel::kError, event, fields);
}

void Logger::Line(std::string_view rest) const {
  sink_.Write(Cat("ts=", ToString(clock_.Now()), " level=info service=", service_, rest, "\n"));
}

}  // namespace sluice

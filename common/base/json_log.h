// Lines as JSON objects instead of logfmt, for those whose log store wants it: in front of the sink that they would go to, so that
// whatever logs knows one form only.
#pragma once

#include <string>
#include <string_view>

#include "base/log.h"

namespace sluice {

// One line of logfmt, as AppendLogfmt writes it, as one JSON object with its line end: every value is a string but numbers of at most
// 15 digits (longer ones, such as ids, would lose digits in some readers) and true and false. What is not logfmt becomes `{"text": …}`.
std::string JsonOf(std::string_view line);

class JsonSink final : public LogSink {
 public:
  // `under` must outlive it.
  explicit JsonSink(LogSink& under) : under_(under) {}
  void Write(std::string_view lines) override;

 private:
  LogSink& under_;
};

}  // namespace sluice

// One SMTP command line as the sink reads it: verb, argument, path and parameters (RFC 5321
// section 4.1). Pure; the sender's own encoder is elsewhere, so that the two never share a fault.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::rig {

enum class Verb {
  kUnknown,
  kEhlo,
  kHelo,
  kMail,
  kRcpt,
  kData,
  kBdat,
  kRset,
  kNoop,
  kQuit,
  kVrfy,
  kStartTls
};

struct Command {
  Verb verb = Verb::kUnknown;
  std::string_view argument;  // without blanks at its ends
};

// `line` has no line end. The views point into it.
Command ParseCommand(std::string_view line);

struct PathArgument {
  std::string_view address;     // between the angle brackets; empty for <>
  std::string_view parameters;  // what follows, without blanks at its ends
};

// `keyword` is "FROM:" or "TO:". Nothing when there is no path in angle brackets.
std::optional<PathArgument> ParsePath(std::string_view argument, std::string_view keyword);

// Splits off the next parameter; empty when there is none left.
std::string_view NextParameter(std::string_view& parameters);

struct Chunk {
  uint64_t size = 0;
  bool last = false;
};
// The argument of BDAT (RFC 3030).
std::optional<Chunk> ParseChunk(std::string_view argument);

struct AddressParts {
  std::string_view local;
  std::string_view domain;
};
// Splits at the last '@'; without one all is local part.
AddressParts SplitAddress(std::string_view address);

// ASCII only.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix);
std::string Lower(std::string_view text);
bool IsAscii(std::string_view text);
// Whole decimal numbers only.
std::optional<uint64_t> ParseNumber(std::string_view text);

}  // namespace sluice::rig

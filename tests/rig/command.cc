#include "rig/command.h"

#include <algorithm>
#include <charconv>

namespace sluice::rig {
namespace {

constexpr char LowerByte(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Up to eight letters as one number, lower case.
constexpr uint64_t Pack(std::string_view word) {
  uint64_t packed = 0;
  for (const char c : word) packed = packed << 8 | static_cast<unsigned char>(LowerByte(c));
  return packed;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Verb VerbOf(std::string_view word) {
  if (word.size() > 8) return Verb::kUnknown;
  switch (Pack(word)) {
    case Pack("ehlo"):
      return Verb::kEhlo;
    case Pack("helo"):
      return Verb::kHelo;
    case Pack("mail"):
      return Verb::kMail;
    case Pack("rcpt"):
      return Verb::kRcpt;
    case Pack("data"):
      return Verb::kData;
    case Pack("bdat"):
      return Verb::kBdat;
    case Pack("rset"):
      return Verb::kRset;
    case Pack("noop"):
      return Verb::kNoop;
    case Pack("quit"):
      return Verb::kQuit;
    case Pack("vrfy"):
      return Verb::kVrfy;
    case Pack("starttls"):
      return Verb::kStartTls;
    default:
      return Verb::kUnknown;
  }
}

// The '>' that ends the path; one inside a quoted local part does not.
size_t FindPathEnd(std::string_view text) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && quoted) {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == '>' && !quoted) {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

Command ParseCommand(std::string_view line) {
  const size_t blank = line.find(' ');
  const std::string_view word = Trim(line.substr(0, blank));
  const std::string_view rest =
      blank == std::string_view::npos ? std::string_view() : Trim(line.substr(blank + 1));
  return {VerbOf(word), rest};
}

std::optional<PathArgument> ParsePath(std::string_view argument, std::string_view keyword) {
  if (!StartsWithIgnoreCase(argument, keyword)) return std::nullopt;
  std::string_view rest = Trim(argument.substr(keyword.size()));
  if (rest.empty() || rest.front() != '<') return std::nullopt;
  rest.remove_prefix(1);
  const size_t end = FindPathEnd(rest);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view after = rest.substr(end + 1);
  if (!after.empty() && after.front() != ' ') return std::nullopt;
  return PathArgument{rest.substr(0, end), Trim(after)};
}

std::string_view NextParameter(std::string_view& parameters) {
  parameters = Trim(parameters);
  const std::string_view next = parameters.substr(0, parameters.find(' '));
  parameters.remove_prefix(next.size());
  return next;
}

std::optional<Chunk> ParseChunk(std::string_view argument) {
  const std::string_view digits = NextParameter(argument);
  const std::string_view word = NextParameter(argument);
  const auto size = ParseNumber(digits);
  if (!size || !Trim(argument).empty()) return std::nullopt;
  if (!word.empty() && !EqualsIgnoreCase(word, "LAST")) return std::nullopt;
  return Chunk{*size, !word.empty()};
}

AddressParts SplitAddress(std::string_view address) {
  const size_t at = address.rfind('@');
  if (at == std::string_view::npos) return {address, {}};
  return {address.substr(0, at), address.substr(at + 1)};
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return LowerByte(x) == LowerByte(y); });
}

bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), LowerByte);
  return lower;
}

bool IsAscii(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace sluice::rig

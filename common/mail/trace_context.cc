#include "mail/trace_context.h"

#include <algorithm>

#include "base/text.h"

namespace sluice {
namespace {

constexpr size_t kVersion = 2, kTraceId = 32, kParentId = 16, kFlags = 2;
constexpr size_t kLength = kVersion + 1 + kTraceId + 1 + kParentId + 1 + kFlags;

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool IsZero(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '0'; });
}

}  // namespace

std::optional<std::string> ParseTraceparent(std::string_view text) {
  if (text.size() < kLength) return std::nullopt;
  const std::string_view version = text.substr(0, kVersion);
  const std::string_view trace = text.substr(kVersion + 1, kTraceId);
  const std::string_view parent = text.substr(kVersion + 1 + kTraceId + 1, kParentId);
  const std::string_view flags = text.substr(kLength - kFlags, kFlags);
  const bool has_dashes = text[kVersion] == '-' && text[kVersion + 1 + kTraceId] == '-' && text[kLength - kFlags - 1] == '-';
  if (!has_dashes || !IsHex(version) || !IsHex(trace) || !IsHex(parent) || !IsHex(flags)) return std::nullopt;
  if (version == "ff" || IsZero(trace) || IsZero(parent)) return std::nullopt;
  if (text.size() > kLength && (version == "00" || text[kLength] != '-')) return std::nullopt;
  return Cat("00-", trace, "-", parent, "-", flags);
}

}  // namespace sluice

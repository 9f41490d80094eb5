#include "mail/header_kind.h"

#include <algorithm>
#include <array>

namespace sluice {
namespace {

constexpr std::array<std::string_view, 11> kAddressHeaders = {
    "from",      "sender",    "reply-to",  "to",        "cc",   "bcc", "resent-from",
    "resent-to", "resent-cc", "errors-to", "resent-sender"};
constexpr std::array<std::string_view, 14> kPlainHeaders = {
    "message-id",     "in-reply-to",    "references", "date",
    "feedback-id",    "list-id",        "list-help",  "list-unsubscribe",
    "list-subscribe", "list-post",      "list-owner", "list-archive",
    "list-unsubscribe-post", "auto-submitted"};

template <size_t N>
bool IsIn(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

HeaderKind KindOfHeader(std::string_view name) {
  if (name == "content-type" || name == "content-disposition") return HeaderKind::kParameters;
  if (name == "content-description") return HeaderKind::kText;
  if (name.starts_with("content-") || name == "mime-version" || name == "dkim-signature" ||
      name == "received" || name.starts_with("arc-")) {
    return HeaderKind::kFixed;
  }
  if (IsIn(kAddressHeaders, name)) return HeaderKind::kAddresses;
  return IsIn(kPlainHeaders, name) ? HeaderKind::kPlain : HeaderKind::kText;
}

std::string LowerName(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

std::string_view TakeFieldLines(std::string_view& header) {
  size_t end = 0;
  do {
    end = std::min(header.find('\n', end), header.size() - 1) + 1;
  } while (end < header.size() && (header[end] == ' ' || header[end] == '\t'));
  const std::string_view field = header.substr(0, end);
  header.remove_prefix(end);
  return field;
}

}  // namespace sluice

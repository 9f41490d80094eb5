#include "smtp/tls_report.h"

#include <algorithm>

namespace sluice {
namespace {

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const size_t begin = text.find_first_not_of(kBlanks);
  return begin == std::string_view::npos
             ? std::string_view()
             : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string_view Take(std::string_view& rest, char end) {
  const size_t at = std::min(rest.find(end), rest.size());
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return taken;
}

bool IsReportRecord(std::string_view text) { return Trim(Take(text, ';')) == "v=TLSRPTv1"; }

bool IsUri(std::string_view uri) {
  return uri.size() <= kMaxReportUriBytes &&
         (uri.starts_with("mailto:") || uri.starts_with("https:")) &&
         std::ranges::all_of(uri, [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

std::string_view ToString(TlsPolicyType type) {
  switch (type) {
    case TlsPolicyType::kNone:
      return "no-policy-found";
    case TlsPolicyType::kSts:
      return "sts";
    case TlsPolicyType::kTlsa:
      return "tlsa";
  }
  return "invalid";
}

std::optional<TlsPolicyType> ParseTlsPolicyType(std::string_view name) {
  for (const TlsPolicyType type :
       {TlsPolicyType::kNone, TlsPolicyType::kSts, TlsPolicyType::kTlsa}) {
    if (ToString(type) == name) {
      return type;
    }
  }
  return std::nullopt;
}

std::vector<std::string> FindReportUris(const std::vector<std::string>& texts) {
  std::vector<std::string> uris;
  if (std::ranges::count_if(texts, IsReportRecord) != 1) {
    return uris;
  }
  std::string_view fields = *std::ranges::find_if(texts, IsReportRecord);
  while (!fields.empty()) {
    std::string_view value = Take(fields, ';');
    if (Trim(Take(value, '=')) != "rua") {
      continue;
    }
    while (!value.empty() && uris.size() < kMaxReportUris) {
      if (const std::string_view uri = Trim(Take(value, ',')); IsUri(uri)) {
        uris.emplace_back(uri);
      }
    }
    break;
  }
  return uris;
}

}  // namespace sluice

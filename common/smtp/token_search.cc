#include "smtp/token_search.h"

#include <algorithm>

#include "smtp/mime.h"
#include "smtp/token.h"

namespace sluice {
namespace {

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool MayBeToken(std::string_view run) {
  // The letters that base32 of tokens leaves out.
  return run.size() == kTokenTextSize && run.find_first_of("iloILOuU") == std::string_view::npos;
}

}  // namespace

void FindTokens(std::string_view text, size_t most, std::vector<std::string>& found) {
  size_t at = 0;
  while (at < text.size() && found.size() < most) {
    if (!IsAlphanumeric(text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && IsAlphanumeric(text[end])) ++end;
    const std::string_view run = text.substr(at, end - at);
    at = end;
    if (!MayBeToken(run)) continue;
    std::string lower = LowerCase(run);
    if (std::find(found.begin(), found.end(), lower) == found.end()) found.push_back(std::move(lower));
  }
}

}  // namespace sluice

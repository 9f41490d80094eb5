#include "smtp/verp.h"

#include "base/text.h"
#include "smtp/token.h"

namespace sluice {

std::string MakeVerpAddress(std::string_view token, std::string_view domain) {
  return Cat("b-", token, "@", domain);
}

std::optional<std::string_view> TokenOfVerpAddress(std::string_view address) {
  const std::string_view local = address.substr(0, address.rfind('@'));
  if (local.size() == address.size() || local.size() != 2 + kTokenTextSize) return std::nullopt;
  if ((local[0] != 'b' && local[0] != 'B') || local[1] != '-') return std::nullopt;
  return local.substr(2);
}

}  // namespace sluice

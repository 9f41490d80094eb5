// What the reviewed data in policy/data is compiled into. provider.h and reply_rules.h make something of it; nobody else includes
// this.
#pragma once

#include <span>
#include <string_view>

#include "policy/provider.h"

namespace sluice {

// One MX pattern of providers.yaml.
struct ShippedSuffix {
  std::string_view suffix;
  size_t provider = 0;  // Place in ShippedProviders().
  std::string_view source;
};
std::span<const ShippedSuffix> ShippedSuffixes();

}  // namespace sluice

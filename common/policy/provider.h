// MX host → provider: a catalogue name, or `other`. Longest suffix wins; judged on the MX set of the lowest preference, then on
// the next (providers-and-replies.md §1.1). Pure.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "mail/mx_host.h"

namespace sluice {

inline constexpr std::string_view kOtherProvider = "other";

class ProviderCatalogue {
 public:
  // The shipped rows.
  ProviderCatalogue();
  // An operator's row wins over a shipped one for the same suffix. `.example.net` covers hosts below it; a name without a leading
  // dot covers that host only. Case and a trailing dot do not matter.
  void Add(std::string_view mx_suffix, std::string_view provider);
  // `hosts` ordered by preference.
  std::string ProviderOf(const std::vector<MxHost>& hosts) const;

 private:
  std::string_view Match(std::string_view host) const;
  std::unordered_map<std::string, std::string, StringHash, std::equal_to<>> rows_;
};

}  // namespace sluice

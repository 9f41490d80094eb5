// Provider names in matches: one that no row of the catalogue has matches nothing, and says so only here.
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <vector>

#include "policy/check_parts.h"

namespace sluice::check {
namespace {

constexpr size_t kMostTypos = 2;

// Letters to insert, drop or replace (V. Levenshtein, 1966).
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

// The known name that is meant most likely; empty when none is near.
std::string_view NearestProvider(const PolicyDocument& policy, std::string_view name) {
  std::string_view nearest;
  size_t least = kMostTypos + 1;
  const auto look = [&](std::string_view known) {
    const size_t distance = Distance(name, known);
    if (distance < least) {
      least = distance;
      nearest = known;
    }
  };
  for (const ShippedProvider& provider : ShippedProviders()) look(provider.name);
  for (const ProviderRule& rule : policy.providers) look(rule.provider);
  look(kOtherProvider);
  return nearest;
}

}  // namespace

void Findings::CheckProvider(std::string_view name, const std::string& path) {
  if (name.empty() || catalogue.Knows(name)) return;
  const std::string_view nearest = NearestProvider(policy, name);
  Warn(path, Cat(Quoted(name), " is no known provider: this matches nothing; ",
                 nearest.empty() ? "add its MX hosts to providers" : "write ", nearest.empty() ? "" : Quoted(nearest),
                 nearest.empty() ? "" : ", or add its MX hosts to providers"));
}

}  // namespace sluice::check

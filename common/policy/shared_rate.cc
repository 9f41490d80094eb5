#include "policy/shared_rate.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sluice {
namespace {

constexpr size_t kFields = 8;

// Scopes and facts have fields of the same names. Which source does not matter here.
template <class Fields>
std::array<std::string_view, kFields> FieldsOf(const Fields& of) {
  return {of.provider, of.pool, of.tenant, of.stream, of.campaign, of.domain, of.site, of.sender_domain};
}

// Names hold no control characters, so the key is unambiguous.
std::string KeyOf(uint16_t fields, const std::array<std::string_view, kFields>& values) {
  std::string key;
  for (size_t f = 0; f < kFields; ++f) {
    if ((fields >> f & 1U) != 0) Append(key, values[f], '\n');
  }
  return key;
}

bool NeedsEntry(const Scope& scope) {
  return !scope.campaign.empty() || !scope.domain.empty() || !scope.sender_domain.empty();
}

}  // namespace

std::string KeyOf(const SharedRate& shared) { return Cat(ToString(shared.scope), " per ", shared.rate.per.count(), "us"); }

bool IsShared(const Match& match) {
  return match.source.empty() && !(match.tenant.empty() && match.stream.empty() && match.campaign.empty() && match.domain.empty() &&
                                   match.sender_domain.empty() && match.pool.empty());
}

std::vector<SharedRate> SharedRatesOf(const PolicyDocument& policy) {
  std::vector<SharedRate> out;
  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < policy.shaping.size(); ++i) {
    const ShapingRule& rule = policy.shaping[i];
    if (!rule.rate || !IsShared(rule.match)) continue;
    SharedRate shared{.scope = ScopeOf(rule.match), .rate = *rule.rate, .rule = Cat("shaping[", i, "]")};
    const auto [place, fresh] = places.try_emplace(ToString(shared.scope), out.size());
    if (fresh) {
      out.push_back(std::move(shared));
    } else {
      out[place->second] = std::move(shared);
    }
  }
  return out;
}

SharedRateTable::SharedRateTable(const std::vector<SharedRate>& all) {
  for (size_t i = 0; i < all.size(); ++i) {
    const auto values = FieldsOf(all[i].scope);
    uint16_t fields = 0;
    for (size_t f = 0; f < kFields; ++f) fields = static_cast<uint16_t>(fields | (values[f].empty() ? 0U : 1U << f));
    std::vector<Group>& groups = NeedsEntry(all[i].scope) ? entry_ : flow_;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.fields == fields; });
    if (group == groups.end()) group = groups.insert(groups.end(), Group{fields, {}});
    group->places[KeyOf(fields, values)] = static_cast<uint32_t>(i);
    sees_pools_ = sees_pools_ || !all[i].scope.pool.empty();
  }
}

void SharedRateTable::Find(const std::vector<Group>& groups, const SendingFacts& facts, Numbers& out) {
  if (groups.empty()) return;
  const auto values = FieldsOf(facts);
  for (const Group& group : groups) {
    const auto found = group.places.find(KeyOf(group.fields, values));
    if (found != group.places.end()) out.push_back(found->second);
  }
}

}  // namespace sluice

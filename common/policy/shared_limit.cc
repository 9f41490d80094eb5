#include "policy/shared_limit.h"

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

std::string_view KeyOf(SharedLimit::Unit unit) {
  switch (unit) {
    case SharedLimit::Unit::kMessages:
      return "rate";
    case SharedLimit::Unit::kBytes:
      return "bytes_rate";
    case SharedLimit::Unit::kNewConnections:
      return "connection_rate";
    case SharedLimit::Unit::kConnections:
      return "connections";
  }
  return "";
}

std::string KeyOf(const SharedLimit& shared) {
  const std::string scope = ToString(shared.scope);
  switch (shared.unit) {
    case SharedLimit::Unit::kMessages:
      return Cat(scope, " per ", shared.rate.per.count(), "us");
    case SharedLimit::Unit::kConnections:
      return Cat(scope, " connections");
    case SharedLimit::Unit::kBytes:
    case SharedLimit::Unit::kNewConnections:
      break;
  }
  return Cat(scope, " ", KeyOf(shared.unit), " per ", shared.rate.per.count(), "us");
}

ShareTerms TermsOf(const SharedLimit& shared) {
  ShareTerms terms{.rate = shared.rate, .is_even = !IsOfConnections(shared.unit)};
  // What goes over to another leaves an interval half used.
  if (shared.unit != SharedLimit::Unit::kConnections) terms.turn = std::max<Duration>(terms.turn, 4 * shared.rate.per);
  return terms;
}

bool IsOfMail(const Match& match) {
  return !(match.tenant.empty() && match.stream.empty() && match.campaign.empty() && match.sender_domain.empty());
}

bool IsShared(const Match& match) { return match.source.empty() && (IsOfMail(match) || !match.domain.empty() || !match.pool.empty()); }

std::vector<SharedLimit> SharedLimitsOf(const std::vector<ShapingRule>& rules) {
  using Unit = SharedLimit::Unit;
  std::vector<SharedLimit> out;
  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < rules.size(); ++i) {
    const ShapingRule& rule = rules[i];
    if (!IsShared(rule.match)) continue;
    const auto add = [&](Unit unit, const std::optional<Rate>& rate) {
      if (!rate) return;
      SharedLimit shared{.scope = ScopeOf(rule.match), .rate = *rate, .rule = Cat("shaping[", i, "]"), .unit = unit};
      const auto [place, fresh] = places.try_emplace(Cat(ToString(shared.scope), "\n", KeyOf(unit)), out.size());
      if (fresh) {
        out.push_back(std::move(shared));
      } else {
        out[place->second] = std::move(shared);
      }
    };
    add(Unit::kMessages, rule.rate);
    add(Unit::kBytes, rule.bytes_rate);
    if (IsOfMail(rule.match) || !rule.match.domain.empty()) continue;
    add(Unit::kNewConnections, rule.connection_rate);
    if (rule.connections) add(Unit::kConnections, Rate{.count = *rule.connections, .per = kConnectionsLinger});
  }
  return out;
}

SharedLimitTable::SharedLimitTable(const std::vector<SharedLimit>& all) {
  for (size_t i = 0; i < all.size(); ++i) {
    const auto values = FieldsOf(all[i].scope);
    uint16_t fields = 0;
    for (size_t f = 0; f < kFields; ++f) fields = static_cast<uint16_t>(fields | (values[f].empty() ? 0U : 1U << f));
    std::vector<Group>& groups = NeedsEntry(all[i].scope) ? entry_ : flow_;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.fields == fields; });
    if (group == groups.end()) group = groups.insert(groups.end(), Group{fields, {}});
    group->places[KeyOf(fields, values)].push_back(static_cast<uint32_t>(i));
    sees_pools_ = sees_pools_ || !all[i].scope.pool.empty();
  }
}

void SharedLimitTable::Find(const std::vector<Group>& groups, const SendingFacts& facts, Numbers& out) {
  if (groups.empty()) return;
  const auto values = FieldsOf(facts);
  for (const Group& group : groups) {
    const auto found = group.places.find(KeyOf(group.fields, values));
    if (found != group.places.end()) out.insert(out.end(), found->second.begin(), found->second.end());
  }
}

}  // namespace sluice

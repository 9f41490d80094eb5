#include "policy/routing.h"

#include <algorithm>
#include <array>
#include <functional>

namespace sluice {
namespace {

constexpr size_t kFieldCount = 7;

std::array<std::string_view, kFieldCount> FieldsOf(const Match& m) {
  return {m.tenant, m.stream, m.campaign, m.provider, m.site, m.domain, m.sender_domain};
}
std::array<std::string_view, kFieldCount> FieldsOf(const RoutingFacts& f) {
  return {f.tenant, f.stream, f.campaign, f.provider, f.site, f.domain, f.sender_domain};
}

uint64_t Mix(uint64_t seed, uint64_t value) {
  seed ^= value + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2);
  return seed * 0xff51afd7ed558ccdULL;
}

bool SameName(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

bool HasTag(std::string_view lines, std::string_view name, std::string_view value) {
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    const size_t equals = line.find('=');
    if (equals != std::string_view::npos && line.substr(equals + 1) == value &&
        SameName(line.substr(0, equals), name)) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool Matches(const Match& match, const RoutingFacts& facts) {
  const auto wanted = FieldsOf(match);
  const auto given = FieldsOf(facts);
  for (size_t i = 0; i < kFieldCount; ++i) {
    if (!wanted[i].empty() && wanted[i] != given[i]) return false;
  }
  return std::all_of(match.tags.begin(), match.tags.end(),
                     [&](const auto& tag) { return HasTag(facts.tags, tag.first, tag.second); });
}

RoutingTable::RoutingTable(const PolicyDocument& policy) {
  static_assert(kFields == kFieldCount);
  for (size_t i = 0; i < policy.routes.size(); ++i) {
    const int pool = PoolIndex(policy, policy.routes[i].pool);
    if (pool < 0) continue;
    const int rule = static_cast<int>(rules_.size());
    rules_.push_back({policy.routes[i].match, static_cast<int>(i), pool});

    const auto fields = FieldsOf(rules_.back().match);
    uint8_t tested = 0;
    uint64_t key = 0;
    for (size_t f = 0; f < kFields; ++f) {
      if (fields[f].empty()) continue;
      tested = static_cast<uint8_t>(tested | (1U << f));
      key = Mix(key, std::hash<std::string_view>{}(fields[f]));
    }
    auto group = std::find_if(groups_.begin(), groups_.end(),
                              [&](const Group& g) { return g.fields == tested; });
    if (group == groups_.end()) {
      groups_.push_back({tested, rule, {}});
      group = groups_.end() - 1;
    }
    group->rules[key].push_back(rule);
  }
}

RouteChoice RoutingTable::Route(const RoutingFacts& facts) const {
  const auto given = FieldsOf(facts);
  std::array<uint64_t, kFields> hashes;
  for (size_t f = 0; f < kFields; ++f) hashes[f] = std::hash<std::string_view>{}(given[f]);

  int best = static_cast<int>(rules_.size());
  for (const Group& group : groups_) {
    if (group.first_rule >= best) break;
    uint64_t key = 0;
    for (size_t f = 0; f < kFields; ++f) {
      if ((group.fields >> f & 1U) != 0) key = Mix(key, hashes[f]);
    }
    const auto found = group.rules.find(key);
    if (found == group.rules.end()) continue;
    for (const int rule : found->second) {
      if (rule >= best) break;
      if (Matches(rules_[static_cast<size_t>(rule)].match, facts)) best = rule;
    }
  }
  if (best == static_cast<int>(rules_.size())) return {};
  return {rules_[static_cast<size_t>(best)].route_index,
          rules_[static_cast<size_t>(best)].pool_index};
}

}  // namespace sluice

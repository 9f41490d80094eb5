#include "scheduler/families.h"

#include <algorithm>

namespace sluice::scheduler {

void Families::SetPolicy(const PolicyDocument& policy) {
  ipv6_sources_.clear();
  for (const SourcePolicy& source : policy.sources) {
    if (source.SendsByIpv6()) ipv6_sources_.try_emplace(source.name);
  }
  for (const PoolPolicy& pool : policy.pools) {
    for (const PoolMember& member : pool.members) {
      const auto found = ipv6_sources_.find(member.source);
      if (found != ipv6_sources_.end()) found->second.push_back(pool.name);
    }
  }
  std::vector<PlacedRule> rules = PlacedRules(policy);
  std::erase_if(rules, [](const PlacedRule& placed) { return !placed.rule.ipv6.has_value(); });
  sees_domains_ = std::any_of(rules.begin(), rules.end(), [](const PlacedRule& placed) { return !placed.rule.match.domain.empty(); });
  rules_ = ShapingTable(std::move(rules));
}

bool Families::IsForbidden(const std::string& source, std::string_view provider, std::string_view site,
                           std::string_view domain) const {
  const auto found = ipv6_sources_.find(source);
  if (found == ipv6_sources_.end()) return false;
  const EffectiveLimits limits = rules_.Resolve(
      {.source = source, .provider = provider, .site = site, .domain = domain, .pools = found->second});
  return limits.ipv6.value == Ipv6Mode::kNever;
}

void Families::FoundNone(uint32_t site, const std::string& source, Instant now) {
  if (learnt_.size() >= kMostLearnt) absl::erase_if(learnt_, [now](const auto& item) { return item.second <= now; });
  // Still full: another attempt will find out again.
  if (learnt_.size() < kMostLearnt) learnt_[{site, IsIpv6(source)}] = now + kLearntFor;
}

bool Families::Lacks(uint32_t site, const std::string& source, Instant now) const {
  const auto found = learnt_.find({site, IsIpv6(source)});
  return found != learnt_.end() && now < found->second;
}

void Families::ForgetSite(uint32_t site) {
  learnt_.erase({site, false});
  learnt_.erase({site, true});
}

}  // namespace sluice::scheduler

// What overflow and shared sources would do to reputations that are to be kept apart.
#include <algorithm>
#include <map>

#include "policy/check_parts.h"

namespace sluice::check {
namespace {

// A member that still warms up: its volume is small and its reputation unmade.
const PoolMember* ColdMember(const Findings& findings, const PoolPolicy& pool) {
  for (const PoolMember& member : pool.members) {
    const auto source = findings.sources.find(member.source);
    if (source == findings.sources.end()) continue;
    if (findings.policy.sources[static_cast<size_t>(source->second)].warmup) return &member;
  }
  return nullptr;
}

// Isolation groups whose streams routes send into each pool.
std::map<std::string_view, std::set<std::string_view>> GroupsOfPools(const Findings& findings) {
  std::map<std::string_view, std::set<std::string_view>> out;
  for (const RouteRule& route : findings.policy.routes) {
    for (const StreamPolicy& stream : findings.policy.streams) {
      if (stream.isolation.empty()) continue;
      if (route.match.stream.empty() || route.match.stream == stream.name) out[route.pool].insert(stream.isolation);
    }
  }
  return out;
}

}  // namespace

void CheckColdOverflow(Findings& findings) {
  const std::vector<PoolPolicy>& pools = findings.policy.pools;
  for (size_t i = 0; i < pools.size(); ++i) {
    const auto to = findings.pools.find(pools[i].overflow);
    if (pools[i].overflow.empty() || to == findings.pools.end()) continue;
    if (ColdMember(findings, pools[i]) != nullptr) continue;
    const PoolMember* cold = ColdMember(findings, pools[static_cast<size_t>(to->second)]);
    if (cold == nullptr) continue;
    findings.Error(Cat("pools[", i, "].overflow"),
                   Cat("goes from a warm pool into ", Quoted(pools[i].overflow), ", whose source ", Quoted(cold->source),
                       " warms up: a burst would ruin it; overflow into a warm pool, or let the mail wait"));
  }
}

// Within one pool, routes that name it for several groups are a decision; a source in two pools easily is an oversight.
void CheckSharedSources(Findings& findings) {
  const auto groups = GroupsOfPools(findings);
  const std::vector<PoolPolicy>& pools = findings.policy.pools;
  std::map<std::string_view, std::string_view> first;  // Source → the pool of some group that it was seen in first.
  for (size_t i = 0; i < pools.size(); ++i) {
    const auto own = groups.find(pools[i].name);
    if (own == groups.end()) continue;
    for (size_t n = 0; n < pools[i].members.size(); ++n) {
      const std::string& source = pools[i].members[n].source;
      const auto [seen, is_new] = first.try_emplace(source, pools[i].name);
      if (is_new) continue;
      const std::set<std::string_view>& others = groups.find(seen->second)->second;
      const bool meets = std::any_of(own->second.begin(), own->second.end(),
                                     [&](std::string_view group) { return others.contains(group); });
      if (meets) continue;
      findings.Warn(Cat("pools[", i, "].members[", n, "].source"),
                    Cat("source ", Quoted(source), " sends for isolation group ", Quoted(*others.begin()), " (pool ",
                        Quoted(seen->second), ") and for ", Quoted(*own->second.begin()), ": they share one reputation"));
    }
  }
}

}  // namespace sluice::check

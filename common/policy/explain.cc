#include "policy/explain.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "policy/shaping.h"
#include "policy/shared_limit.h"

namespace sluice {
namespace {

constexpr int kLongestOverflow = 8;

struct Field {
  std::string_view name, wanted, given;
};

std::vector<Field> FieldsOf(const Match& match, const RoutingFacts& facts) {
  return {{"tenant", match.tenant, facts.tenant},
          {"stream", match.stream, facts.stream},
          {"campaign", match.campaign, facts.campaign},
          {"provider", match.provider, facts.provider},
          {"site", match.site, facts.site},
          {"domain", match.domain, facts.domain},
          {"sender_domain", match.sender_domain, facts.sender_domain}};
}

ExplainedRoute ExplainRoute(const RouteRule& route, int index, const RoutingFacts& facts) {
  ExplainedRoute out{.index = index, .match = {}, .pool = route.pool, .matched = Matches(route.match, facts), .reason = {}};
  for (const Field& field : FieldsOf(route.match, facts)) {
    if (field.wanted.empty()) continue;
    Append(out.match, out.match.empty() ? "" : " ", field.name, "=", field.wanted);
    if (out.reason.empty() && field.wanted != field.given) {
      out.reason = Cat(field.name, " is ", field.given.empty() ? "none" : field.given);
    }
  }
  for (const auto& [name, value] : route.match.tags) {
    Append(out.match, out.match.empty() ? "" : " ", "tag ", name, "=", value);
  }
  if (!out.matched && out.reason.empty()) out.reason = "a tag is different";
  return out;
}

// Everything that one explanation needs, so that the steps read as sentences.
class Explainer {
 public:
  Explainer(const PolicyDocument& policy, const std::vector<Constraint>& constraints, const std::vector<SourceNow>& sources,
            const ExplainFacts& facts)
      : policy_(policy), all_(constraints), suspensions_(constraints), book_(PlacedRules(policy), constraints), sources_(sources), facts_(facts) {}

  Explanation Run() {
    Walk();
    if (out_.route_index < 0) {
      out_.waits_for = "no route matches";
      return std::move(out_);
    }
    out_.pool = policy_.routes[static_cast<size_t>(out_.route_index)].pool;
    const Constraint* held = suspensions_.Holding(FactsOf({}, out_.pool), facts_.now);
    bool any = false;
    std::string pool = out_.pool;
    for (int step = 0; step < kLongestOverflow && !pool.empty(); ++step) {
      const PoolPolicy* found = FindPool(policy_, pool);
      if (found == nullptr) break;
      any = Members(*found) || any;
      pool = found->overflow;
    }
    Constraints();
    if (held != nullptr) {
      out_.waits_for = Waiting(*held);
    } else if (!any) {
      out_.waits_for = WhyNone();
    }
    return std::move(out_);
  }

 private:
  SendingFacts FactsOf(std::string_view source, std::string_view pool) const {
    const RoutingFacts& r = facts_.routing;
    return {.source = source,
            .provider = r.provider,
            .pool = pool,
            .tenant = r.tenant,
            .stream = r.stream,
            .campaign = r.campaign,
            .domain = r.domain,
            .site = r.site,
            .sender_domain = r.sender_domain};
  }

  void Walk() {
    for (size_t i = 0; i < policy_.routes.size() && out_.route_index < 0; ++i) {
      const bool matched = Matches(policy_.routes[i].match, facts_.routing);
      if (!matched && out_.routes.size() >= kMostRoutes) continue;
      out_.routes.push_back(ExplainRoute(policy_.routes[i], static_cast<int>(i), facts_.routing));
      if (matched) out_.route_index = static_cast<int>(i);
    }
  }

  // Whether any of them can send.
  bool Members(const PoolPolicy& pool) {
    const size_t begin = out_.members.size();
    for (const PoolMember& member : pool.members) out_.members.push_back(MemberOf(pool, member));
    const auto regular = [](const ExplainedMember& m) { return m.eligible && !m.reserve; };
    const bool has_regular = std::any_of(out_.members.begin() + static_cast<std::ptrdiff_t>(begin), out_.members.end(), regular);
    bool any = has_regular;
    for (size_t i = begin; i < out_.members.size(); ++i) {
      ExplainedMember& member = out_.members[i];
      if (!member.reserve || !member.eligible) continue;
      any = true;
      if (!has_regular) continue;
      member.eligible = false;
      member.reason = "reserve: steps in when no regular member can send";
    }
    return any;
  }

  ExplainedMember MemberOf(const PoolPolicy& pool, const PoolMember& member) {
    ExplainedMember out{.pool = pool.name, .source = member.source, .weight = member.weight, .reserve = member.reserve};
    EffectiveLimits limits = book_.Resolve({.source = member.source,
                                         .provider = facts_.routing.provider,
                                         .site = facts_.routing.site,
                                         .domain = facts_.routing.domain,
                                         .pools = PoolsOf(member.source)},
                                        facts_.now);
    const StreamPolicy* stream = FindStream(policy_, facts_.routing.stream);
    if (!limits.retry_schedule.value && stream != nullptr && !stream->retry_schedule.empty()) {
      limits.retry_schedule = {stream->retry_schedule, Cat("stream ", stream->name)};
    }
    out.limits = Describe(limits);
    for (const SharedLimit& shared : shared_) {
      if (Covers(shared.scope, FactsOf(member.source, pool.name))) {
        const bool is_number = shared.unit == SharedLimit::Unit::kConnections;
        out.limits.push_back({Cat("shared_", KeyOf(shared.unit)), is_number ? Cat(shared.rate.count) : ToString(shared.rate), Cat(shared.rule, ", ", ToString(shared.scope), " together")});
      }
    }
    const auto now = std::find_if(sources_.begin(), sources_.end(), [&](const SourceNow& s) { return s.source == member.source; });
    if (now != sources_.end()) out.egress = now->egress;
    const Constraint* held = suspensions_.Holding(FactsOf(member.source, pool.name), facts_.now);
    const std::string wrong_family = WrongFamily(member.source, limits);
    if (member.weight == 0) {
      out.reason = "drained: weight 0";
    } else if (!wrong_family.empty()) {
      out.reason = wrong_family;
    } else if (held != nullptr) {
      out.reason = Waiting(*held);
    } else if (now == sources_.end() || !now->can_send) {
      out.reason = now == sources_.end() || now->detail.empty() ? "no egress holds it" : now->detail;
    } else if (!now->lacks_allowance.empty()) {
      out.reason = Cat("warms up, no allowance now: ", now->lacks_allowance);
    } else {
      out.eligible = true;
    }
    return out;
  }

  std::vector<std::string>& PoolsOf(const std::string& source) {
    pools_of_.clear();
    for (const PoolPolicy& pool : policy_.pools) {
      if (std::any_of(pool.members.begin(), pool.members.end(), [&](const PoolMember& m) { return m.source == source; })) {
        pools_of_.push_back(pool.name);
      }
    }
    return pools_of_;
  }

  void Constraints() {
    for (const Constraint& constraint : all_) {
      if (!IsInForce(constraint, facts_.now)) continue;
      const bool concerns = std::any_of(out_.members.begin(), out_.members.end(), [&](const ExplainedMember& m) {
        return Covers(constraint.scope, FactsOf(m.source, m.pool));
      });
      if (concerns) out_.constraints.push_back(constraint);
    }
  }

  // Why the address family of `source` does not do; empty = it does.
  std::string WrongFamily(const std::string& source, const EffectiveLimits& limits) const {
    const auto found = std::find_if(policy_.sources.begin(), policy_.sources.end(), [&](const SourcePolicy& s) { return s.name == source; });
    if (found == policy_.sources.end()) return {};
    const bool is_ipv6 = found->SendsByIpv6();
    if (is_ipv6 && limits.ipv6.value == Ipv6Mode::kNever) return Cat("sends by IPv6: `ipv6: never` (", limits.ipv6.rule, ")");
    // A smart host's addresses are its own.
    if (out_.route_index < 0 || !policy_.routes[static_cast<size_t>(out_.route_index)].smart_host.empty()) return {};
    if (is_ipv6 && facts_.lacks_ipv6) return "sends by IPv6: no MX host has an IPv6 address";
    if (!is_ipv6 && facts_.lacks_ipv4) return "sends by IPv4: no MX host has an IPv4 address";
    return {};
  }

  // The allowance is what mail waits for; where nobody has one to wait for, something is broken.
  std::string WhyNone() const {
    for (const ExplainedMember& member : out_.members) {
      const auto now = std::find_if(sources_.begin(), sources_.end(), [&](const SourceNow& s) { return s.source == member.source; });
      if (now == sources_.end() || !now->can_send || now->lacks_allowance.empty() || member.weight == 0) continue;
      return Cat("an allowance of warming source ", member.source, ": ", now->lacks_allowance);
    }
    return "no member of the pool can send";
  }

  static std::string Waiting(const Constraint& constraint) {
    return Cat("suspended: constraint ", constraint.id, " (", ToString(constraint.cause), ") on ", ToString(constraint.scope),
               constraint.evidence.empty() ? "" : ", ", constraint.evidence);
  }

  const PolicyDocument& policy_;
  const std::vector<Constraint>& all_;
  const Suspensions suspensions_;
  const LimitBook book_;
  const std::vector<SourceNow>& sources_;
  const ExplainFacts& facts_;
  const std::vector<SharedLimit> shared_ = SharedLimitsOf(policy_.shaping);
  std::vector<std::string> pools_of_;
  Explanation out_;
};

}  // namespace

Explanation Explain(const PolicyDocument& policy, const std::vector<Constraint>& constraints,
                    const std::vector<SourceNow>& sources, const ExplainFacts& facts) {
  return Explainer(policy, constraints, sources, facts).Run();
}

}  // namespace sluice

#include "policy/shaping.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/text.h"
#include "policy/provider.h"
#include "policy/shared_limit.h"

namespace sluice {
namespace {

constexpr int kDefaultConnections = 20;

enum Field : uint8_t { kSource = 1, kPool = 2, kProvider = 4, kSite = 8, kDomain = 16 };

uint8_t FieldsOf(const Match& match) {
  return static_cast<uint8_t>((match.source.empty() ? 0 : kSource) | (match.pool.empty() ? 0 : kPool) |
                              (match.provider.empty() ? 0 : kProvider) | (match.site.empty() ? 0 : kSite) |
                              (match.domain.empty() ? 0 : kDomain));
}

// Higher is above. Who sends counts before where to.
std::tuple<int, int, int> RankOf(const PlacedRule& placed) {
  const Match& match = placed.rule.match;
  const int who = !match.source.empty() ? 2 : !match.pool.empty() ? 1 : 0;
  const int where = !match.domain.empty() ? 3 : !match.site.empty() ? 2 : !match.provider.empty() ? 1 : 0;
  return {who, where, placed.index};
}

// Names hold no control characters, so the key is unambiguous.
std::string KeyOf(uint8_t fields, std::string_view source, std::string_view pool, std::string_view provider,
                  std::string_view site, std::string_view domain) {
  std::string key;
  if ((fields & kSource) != 0) Append(key, source, '\n');
  if ((fields & kPool) != 0) Append(key, pool, '\n');
  if ((fields & kProvider) != 0) Append(key, provider, '\n');
  if ((fields & kSite) != 0) Append(key, site, '\n');
  if ((fields & kDomain) != 0) Append(key, domain, '\n');
  return key;
}

template <class T>
void Set(Limit<T>& limit, const std::optional<T>& value, const std::string& rule) {
  if (value) limit = {value, rule};
}

void Apply(const ProviderLimits& shipped, const std::string& rule, EffectiveLimits& out) {
  Set(out.connections, shipped.connections, rule);
  Set(out.connections_per_address, shipped.connections_per_address, rule);
  Set(out.messages_per_connection, shipped.messages_per_connection, rule);
  Set(out.rate, shipped.rate, rule);
  Set(out.connection_rate, shipped.connection_rate, rule);
  Set(out.tls, shipped.tls, rule);
  Set(out.ipv6, shipped.ipv6, rule);
}

void Apply(const ShapingRule& rule, const std::string& name, EffectiveLimits& out) {
  Set(out.tls, rule.tls, name);
  Set(out.ipv6, rule.ipv6, name);
  if (!rule.retry_schedule.empty()) out.retry_schedule = {rule.retry_schedule, name};
  if (!rule.match.domain.empty()) return;
  Set(out.source_connections, rule.source_connections, name);
  Set(out.connections_per_address, rule.connections_per_address, name);
  Set(out.messages_per_connection, rule.messages_per_connection, name);
  Set(out.recipients_per_transaction, rule.recipients_per_transaction, name);
  Set(out.idle_timeout, rule.idle_timeout, name);
  if (IsShared(rule.match)) return;
  Set(out.connections, rule.connections, name);
  Set(out.rate, rule.rate, name);
  Set(out.connection_rate, rule.connection_rate, name);
  Set(out.bytes_rate, rule.bytes_rate, name);
}

bool NamesOnly(const Scope& scope) {
  return scope.tenant.empty() && scope.stream.empty() && scope.campaign.empty() && scope.domain.empty() &&
         scope.sender_domain.empty();
}

bool CoversSource(const Scope& scope, const ShapingFacts& facts) {
  const SendingFacts sending{.source = facts.source, .provider = facts.provider, .pool = scope.pool, .site = facts.site};
  return Covers(scope, sending) &&
         (scope.pool.empty() || std::find(facts.pools.begin(), facts.pools.end(), scope.pool) != facts.pools.end());
}

}  // namespace

std::vector<PlacedRule> PlacedRules(const PolicyDocument& policy) {
  std::vector<PlacedRule> out;
  for (size_t i = 0; i < policy.shaping.size(); ++i) {
    if (!IsOfMail(policy.shaping[i].match)) out.push_back({static_cast<int>(i), policy.shaping[i]});
  }
  return out;
}

ShapingTable::ShapingTable(std::vector<PlacedRule> rules) : rules_(std::move(rules)) {
  std::sort(rules_.begin(), rules_.end(),
            [](const PlacedRule& a, const PlacedRule& b) { return RankOf(a) < RankOf(b); });
  for (size_t i = 0; i < rules_.size(); ++i) {
    const Match& match = rules_[i].rule.match;
    const uint8_t fields = FieldsOf(match);
    auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) { return g.fields == fields; });
    if (group == groups_.end()) group = groups_.insert(groups_.end(), Group{fields, {}});
    group->rules[KeyOf(fields, match.source, match.pool, match.provider, match.site, match.domain)].push_back(i);
    has_retry_schedules_ = has_retry_schedules_ || !rules_[i].rule.retry_schedule.empty();
  }
}

void ShapingTable::Find(const Group& group, const ShapingFacts& facts, std::string_view pool,
                        std::vector<size_t>& found) const {
  const auto at = group.rules.find(KeyOf(group.fields, facts.source, pool, facts.provider, facts.site, facts.domain));
  if (at != group.rules.end()) found.insert(found.end(), at->second.begin(), at->second.end());
}

EffectiveLimits ShapingTable::Resolve(const ShapingFacts& facts) const {
  EffectiveLimits out;
  out.connections = {kDefaultConnections, "default"};
  out.tls = {TlsMode::kOpportunistic, "default"};
  out.ipv6 = {Ipv6Mode::kPrefer, "default"};
  Apply(ShippedDefaults(), "catalogue", out);
  if (const ShippedProvider* shipped = FindShippedProvider(facts.provider)) {
    Apply(shipped->limits, Cat("catalogue ", shipped->name), out);
  }
  std::vector<size_t> found;
  for (const Group& group : groups_) {
    if ((group.fields & kPool) == 0) {
      Find(group, facts, {}, found);
    } else {
      for (const std::string& pool : facts.pools) Find(group, facts, pool, found);
    }
  }
  std::sort(found.begin(), found.end());
  for (const size_t i : found) Apply(rules_[i].rule, Cat("shaping[", rules_[i].index, "]"), out);
  return out;
}

bool HasLimitsPerSite(std::string_view provider) {
  if (provider == kOtherProvider || provider.empty()) return true;
  const ShippedProvider* shipped = FindShippedProvider(provider);
  return shipped != nullptr && shipped->limits_per_site;
}

bool IsLimit(const Constraint& constraint) {
  ConstraintValue value = constraint.value;
  value.suspend = false;
  value.trickle.reset();
  return NamesOnly(constraint.scope) && value != ConstraintValue();
}

LimitBook::LimitBook(std::vector<PlacedRule> rules, std::vector<Constraint> constraints) {
  std::vector<ShapingRule> bare;
  for (const PlacedRule& placed : rules) bare.push_back(placed.rule);
  shared_ = SharedLimitsOf(bare);
  std::erase_if(shared_, [](const SharedLimit& limit) { return !IsOfConnections(limit.unit); });
  shared_table_ = SharedLimitTable(shared_);
  table_ = ShapingTable(std::move(rules));
  for (Constraint& constraint : constraints) {
    if (!IsLimit(constraint)) continue;
    std::vector<Constraint>& list =
        constraint.scope.source.empty() ? everywhere_ : by_source_[constraint.scope.source];
    list.push_back(std::move(constraint));
  }
}

std::vector<const SharedLimit*> LimitBook::FindShared(const ShapingFacts& facts) const {
  SharedLimitTable::Numbers numbers;
  for (const std::string& pool : facts.pools) {
    shared_table_.FindFlow({.provider = facts.provider, .pool = pool, .site = facts.site}, numbers);
  }
  std::vector<const SharedLimit*> out;
  for (const uint32_t number : numbers) out.push_back(&shared_[number]);
  return out;
}

std::optional<Rate> LimitBook::AimdRate(const ShapingFacts& facts, Instant now) const {
  const auto own = by_source_.find(facts.source);
  if (own == by_source_.end()) return std::nullopt;
  for (const Constraint& constraint : own->second) {
    const bool is_of_it = constraint.cause == ConstraintCause::kAimd && constraint.scope.provider == facts.provider &&
                          constraint.scope.site == facts.site;
    if (is_of_it && IsInForce(constraint, now)) return constraint.value.rate;
  }
  return std::nullopt;
}

EffectiveLimits LimitBook::Resolve(const ShapingFacts& facts, Instant now, bool with_aimd) const {
  EffectiveLimits out = table_.Resolve(facts);
  const auto tighten = [&](const std::vector<Constraint>& list) {
    for (const Constraint& constraint : list) {
      if (!with_aimd && constraint.cause == ConstraintCause::kAimd) continue;
      if (IsInForce(constraint, now) && CoversSource(constraint.scope, facts)) Tighten(out, constraint);
    }
  };
  tighten(everywhere_);
  if (const auto own = by_source_.find(facts.source); own != by_source_.end()) tighten(own->second);
  return out;
}

}  // namespace sluice

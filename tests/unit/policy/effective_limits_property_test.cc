// Random rules and constraints: the effective limit is the smallest of what the topmost rule says and of every constraint in force that
// covers the source there, and a shared rate counts exactly the mail that its rule matches. Held against a plain reading of the policy.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "policy/provider.h"
#include "policy/shaping.h"
#include "policy/shared_limit.h"

namespace sluice {
namespace {

constexpr Instant kNow{std::chrono::hours(1000)};

class RandomPolicy {
 public:
  explicit RandomPolicy(uint32_t seed) : random_(seed) {
    for (int i = 0; i < 1 + Roll(30); ++i) policy_.shaping.push_back(Rule());
    for (int i = 0; i < Roll(20); ++i) constraints_.push_back(AnyConstraint(i + 1));
  }

  void Check() {
    const LimitBook book(PlacedRules(policy_), constraints_);
    const std::vector<SharedLimit> shared = SharedLimitsOf(policy_.shaping);
    const SharedLimitTable table(shared);
    for (int i = 0; i < 50; ++i) {
      const std::vector<std::string> pools = Roll(2) == 0 ? std::vector<std::string>{Name("pool")} : std::vector<std::string>{"pool-0", "pool-1"};
      const std::string source = Name("ip"), provider = Provider(), site = Name("site");
      CheckLimits(book, {.source = source, .provider = provider, .site = site, .pools = pools});
      const std::string tenant = Name("tenant"), stream = Name("stream"), campaign = Name("campaign"), domain = Name("domain");
      CheckShared(shared, table, {.source = source, .provider = provider, .pool = pools[0], .tenant = tenant, .stream = stream,
                                  .campaign = campaign, .domain = domain, .site = site, .sender_domain = "s.test"});
    }
  }

 private:
  int Roll(int below) { return static_cast<int>(random_() % static_cast<uint32_t>(below)); }
  std::string Name(std::string_view kind) { return Cat(kind, "-", Roll(3)); }
  std::string Perhaps(std::string_view kind) { return Roll(3) == 0 ? Name(kind) : std::string(); }
  std::string Provider() { return std::vector<std::string>{"google", "m365", "other"}[static_cast<size_t>(Roll(3))]; }
  Rate AnyRate() { return {.count = 1 + Roll(100), .per = std::chrono::seconds(1 + Roll(60))}; }

  ShapingRule Rule() {
    ShapingRule rule;
    if (Roll(4) == 0) {
      rule.match = {.tenant = Perhaps("tenant"), .stream = Perhaps("stream"), .campaign = Perhaps("campaign"), .provider = Roll(2) == 0 ? Provider() : ""};
      if (Roll(3) == 0) rule.match.domain = Name("domain");
      rule.rate = AnyRate();
      return rule;
    }
    rule.match = {.provider = Roll(2) == 0 ? Provider() : "", .site = Perhaps("site"), .source = Perhaps("ip"), .pool = Perhaps("pool")};
    if (Roll(2) == 0) rule.connections = 1 + Roll(50);
    if (Roll(2) == 0) rule.messages_per_connection = Roll(50);
    if (Roll(2) == 0) rule.rate = AnyRate();
    if (Roll(2) == 0) rule.connection_rate = AnyRate();
    if (Roll(2) == 0) rule.bytes_rate = AnyRate();
    return rule;
  }
  Constraint AnyConstraint(int id) {
    Constraint constraint{.id = id, .scope = {.source = Perhaps("ip"), .provider = Roll(2) == 0 ? Provider() : "", .pool = Perhaps("pool"),
                                              .site = Perhaps("site")}};
    if (Roll(5) == 0) constraint.scope.tenant = "tenant-0";  // Limits no connection.
    if (Roll(2) == 0) constraint.value.connections = 1 + Roll(50);
    if (Roll(2) == 0) constraint.value.rate = AnyRate();
    if (Roll(3) == 0) constraint.value.connection_rate = AnyRate();
    if (Roll(3) == 0) constraint.value.bytes_rate = AnyRate();
    if (Roll(3) == 0) constraint.value.share = 0.1 * (1 + Roll(9));
    if (Roll(3) == 0) constraint.value.suspend = true;
    if (Roll(3) == 0) constraint.until = kNow + std::chrono::minutes(Roll(3) - 1);
    return constraint;
  }

  static double Pace(const Rate& rate) { return static_cast<double>(rate.count) / static_cast<double>(rate.per.count()); }

  bool Applies(const Match& match, const ShapingFacts& facts) const {
    const bool of_mail = !(match.tenant + match.stream + match.campaign + match.domain).empty();
    const auto fits = [](const std::string& wanted, std::string_view given) { return wanted.empty() || wanted == given; };
    const bool in_pool = match.pool.empty() || std::find(facts.pools.begin(), facts.pools.end(), match.pool) != facts.pools.end();
    return !of_mail && in_pool && fits(match.source, facts.source) && fits(match.provider, facts.provider) && fits(match.site, facts.site);
  }
  static int Height(const Match& match) {
    const int who = !match.source.empty() ? 2 : !match.pool.empty() ? 1 : 0;
    const int where = !match.site.empty() ? 2 : !match.provider.empty() ? 1 : 0;
    return 3 * who + where;
  }
  // What the topmost rule that applies says; the last of several.
  template <class T, class Field>
  std::optional<T> Top(const ShapingFacts& facts, Field field, std::optional<T> below) const {
    int height = -1;
    for (const ShapingRule& rule : policy_.shaping) {
      const std::optional<T> value = field(rule);
      if (!value || !Applies(rule.match, facts) || Height(rule.match) < height) continue;
      height = Height(rule.match);
      below = value;
    }
    return below;
  }
  template <class T, class Field, class Less>
  std::optional<T> Least(const ShapingFacts& facts, std::optional<T> value, Field field, Less less) const {
    for (const Constraint& constraint : constraints_) {
      const Scope& scope = constraint.scope;
      const std::optional<T> other = field(constraint.value);
      if (!other || !scope.tenant.empty() || (constraint.until && *constraint.until <= kNow)) continue;
      if (!Applies({.provider = scope.provider, .site = scope.site, .source = scope.source, .pool = scope.pool}, facts)) continue;
      if (!value || less(*other, *value)) value = other;
    }
    return value;
  }

  void CheckLimits(const LimitBook& book, const ShapingFacts& facts) {
    const EffectiveLimits got = book.Resolve(facts, kNow);
    ProviderLimits shipped = ShippedDefaults();
    std::optional<int> connections = shipped.connections ? shipped.connections : 20;
    std::optional<Rate> rate = shipped.rate, connection_rate = shipped.connection_rate;
    if (const ShippedProvider* of = FindShippedProvider(facts.provider)) {
      if (of->limits.connections) connections = of->limits.connections;
      if (of->limits.rate) rate = of->limits.rate;
      if (of->limits.connection_rate) connection_rate = of->limits.connection_rate;
    }
    const auto slower = [](const Rate& a, const Rate& b) { return Pace(a) < Pace(b); };
    const auto same = [](const std::optional<Rate>& a, const std::optional<Rate>& b) {
      return a.has_value() == b.has_value() && (!a || Pace(*a) == Pace(*b));
    };
    // What a pool rule says holds for its sources together.
    const auto own = [](auto field) {
      return [field](const ShapingRule& r) { return IsShared(r.match) ? std::remove_cvref_t<decltype(r.*field)>() : r.*field; };
    };
    connections = Top<int>(facts, own(&ShapingRule::connections), connections);
    connections = Least<int>(facts, connections, [](const ConstraintValue& v) { return v.connections; }, std::less<>());
    EXPECT_EQ(got.connections.value, connections) << facts.source << " " << facts.provider << " " << got.connections.rule;
    rate = Top<Rate>(facts, own(&ShapingRule::rate), rate);
    rate = Least<Rate>(facts, rate, [](const ConstraintValue& v) { return v.rate; }, slower);
    EXPECT_TRUE(same(got.rate.value, rate)) << got.rate.rule;
    connection_rate = Top<Rate>(facts, own(&ShapingRule::connection_rate), connection_rate);
    connection_rate = Least<Rate>(facts, connection_rate, [](const ConstraintValue& v) { return v.connection_rate; }, slower);
    EXPECT_TRUE(same(got.connection_rate.value, connection_rate)) << got.connection_rate.rule;
    std::optional<Rate> bytes = Top<Rate>(facts, own(&ShapingRule::bytes_rate), std::nullopt);
    bytes = Least<Rate>(facts, bytes, [](const ConstraintValue& v) { return v.bytes_rate; }, slower);
    EXPECT_TRUE(same(got.bytes_rate.value, bytes)) << got.bytes_rate.rule;
    EXPECT_EQ(got.share.value, Least<double>(facts, std::nullopt, [](const ConstraintValue& v) { return v.share; }, std::less<>()));
  }

  void CheckShared(const std::vector<SharedLimit>& shared, const SharedLimitTable& table, const SendingFacts& facts) {
    SharedLimitTable::Numbers found;
    table.FindFlow(facts, found);
    table.FindEntry(facts, found);
    std::set<uint32_t> expected;
    for (uint32_t i = 0; i < shared.size(); ++i) {
      if (Covers(shared[i].scope, facts)) expected.insert(i);
    }
    EXPECT_EQ(std::set<uint32_t>(found.begin(), found.end()), expected);
    EXPECT_EQ(found.size(), expected.size()) << "each once";
  }

  std::mt19937 random_;
  PolicyDocument policy_;
  std::vector<Constraint> constraints_;
};

TEST(EffectiveLimitsPropertyTest, IsTheLeastOfRulesAndConstraints) {
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    RandomPolicy(seed).Check();
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

}  // namespace
}  // namespace sluice

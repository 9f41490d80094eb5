#include "policy/health.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "policy/confidence.h"

namespace sluice {
namespace {

constexpr double kZ = 1.645;  // 95 %, one side.
constexpr Duration kStrikesLast = std::chrono::hours(24 * 7);
constexpr int kMostDoublings = 12;
constexpr Duration kUsualOver = std::chrono::minutes(10);
constexpr double kPressing = 15;  // Points of the score.
constexpr std::array<std::string_view, 5> kStates = {"healthy", "watch", "throttled", "suspended", "quarantined"};
constexpr std::array<double, 5> kScores = {100, 80, 55, 25, 0};

bool Rests(HealthState state) { return state >= HealthState::kSuspended; }
// Of a sending domain only refusals are known, which name it.
bool KnowsDeliveries(HealthOf of) { return of != HealthOf::kDomainProvider && of != HealthOf::kDomain; }

std::string Percent(double share) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %%", share * 100);
  return text.data();
}

// A rule against what is known: how near it is, 1 = it fires.
struct Finding {
  const HealthRule* rule = nullptr;
  double pressure = 0;
  std::string evidence = {};
  bool fires() const { return rule != nullptr && pressure >= 1; }
};

Finding Count(const HealthRule& rule, const HealthStatus& status, const HealthInputs& inputs, Instant now) {
  const HealthCounts counts = inputs.history.Sum(std::max(now - rule.over, status.counted_from));
  const int64_t hits = At(counts, rule.signal);
  if (hits == 0) return {&rule};
  const int64_t attempts = std::max(hits, At(counts, HealthSignal::kAttempt));
  const double enough = static_cast<double>(hits) / static_cast<double>(std::max<int64_t>(rule.least, 1));
  const double bound = WilsonLower(hits, attempts, kZ);
  const double high = rule.share > 0 ? bound / rule.share : 1;
  Finding out{&rule, std::min({1.0, enough, high}), {}};
  out.evidence = Cat(hits, " of ", attempts, " attempts in ", ToString(rule.over), " were ", ToString(rule.signal), " (",
                     Percent(static_cast<double>(hits) / static_cast<double>(attempts)), ", surely ", Percent(bound), ")");
  if (const std::string& reply = inputs.history.last_reply(rule.signal); !reply.empty()) Append(out.evidence, ": ", reply);
  return out;
}

double Pressure(const HealthRule& rule, const Opinion& opinion) {
  if (opinion.word != rule.opinion) return 0;
  return rule.share > 0 ? std::min(1.0, opinion.amount / rule.share) : 1;
}

Finding Check(const HealthRule& rule, const HealthStatus& status, const HealthInputs& inputs, Instant now) {
  if (!rule.opinion.empty()) {
    Finding out{&rule};
    for (const Opinion& opinion : inputs.opinions) {
      const double near = Pressure(rule, opinion);
      if (near > out.pressure) out = {&rule, near, opinion.evidence};
    }
    return out;
  }
  if (rule.providers > 0) {
    const double near = static_cast<double>(inputs.suspended_providers) / rule.providers;
    return {&rule, std::min(near, 1.0), Cat("suspended at ", inputs.suspended_providers, " providers")};
  }
  return Count(rule, status, inputs, now);
}

Duration Rest(const HealthRule& rule, int strikes) {
  Duration rest = rule.rest;
  for (int i = 1; i < std::min(strikes, kMostDoublings) && rest < rule.longest_rest; ++i) rest *= 2;
  return std::max(std::min(rest, rule.longest_rest), Duration(1));
}

void BeginRest(HealthStatus& status, const HealthRule& rule, Instant now) {
  status.strikes = std::min(status.strikes + 1, kMostDoublings);
  status.rested_at = now;
  status.until = now + Rest(rule, status.strikes);
  status.probing_since = {};
}

void Worsen(HealthStatus& status, const Finding& finding, const HealthInputs& inputs, Instant now) {
  const HealthRule& rule = *finding.rule;
  if (status.state < HealthState::kThrottled) {
    const Instant from = now - kUsualOver;
    status.usual = static_cast<double>(At(inputs.history.Sum(from), HealthSignal::kAttempt)) /
                   std::chrono::duration<double, std::ratio<60>>(kUsualOver).count();
  }
  if (now - status.rested_at > kStrikesLast) status.strikes = 0;
  status.state = rule.state;
  status.rule = rule.name;
  status.evidence = finding.evidence;
  status.since = status.counted_from = now;
  status.until = now + rule.rest;
  status.probing_since = {};
  if (Rests(rule.state)) BeginRest(status, rule, now);
}

void StepTo(HealthStatus& status, HealthState state, std::string evidence, const HealthRule& rule, Instant now) {
  status.state = state;
  status.since = status.counted_from = now;
  status.probing_since = {};
  status.until = now + rule.rest;
  if (!evidence.empty()) status.evidence = std::move(evidence);
}

// Of what rests: probes lead back, or into a longer rest.
void Probe(HealthStatus& status, const HealthRule& rule, const Finding& standing, const HealthInputs& inputs, Instant now) {
  if (!rule.opinion.empty() && standing.fires()) {
    status.until = std::max(status.until, now);
    status.probing_since = {};
    return;
  }
  if (!status.is_probing()) {
    if (!rule.opinion.empty() || now >= status.rested_at + (status.until - status.rested_at) / 2) status.probing_since = now;
    return;
  }
  const Duration of_all = rule.probe_every * rule.probes;
  const HealthCounts counts = inputs.history.Sum(status.probing_since);
  const HealthSignal bad = rule.opinion.empty() && rule.providers == 0 ? rule.signal : HealthSignal::kBlockEverywhere;
  const int64_t accepted = At(counts, HealthSignal::kDelivered);
  if (At(counts, bad) > 0) {
    status.evidence = Cat("a probe was refused: ", inputs.history.last_reply(bad));
    BeginRest(status, rule, now);
  } else if (!KnowsDeliveries(rule.of)) {
    if (now < status.probing_since + of_all) return;
    StepTo(status, HealthState::kWatch, Cat("no probe was refused in ", ToString(of_all), " after: ", status.evidence), rule, now);
  } else if (rule.providers > 0 ? !standing.fires() : accepted >= rule.probes) {
    StepTo(status, HealthState::kThrottled, Cat(accepted, " probes were accepted after: ", status.evidence), rule, now);
  }
}

void Ease(HealthStatus& status, const HealthRule& rule, const Finding& worst, Instant now) {
  if (worst.fires() && worst.rule->state == status.state) {
    // Stored now and then only.
    if (status.until < now + worst.rule->rest * 3 / 4) status.until = now + worst.rule->rest;
    return;
  }
  if (now < status.until) return;
  if (status.state == HealthState::kThrottled) {
    StepTo(status, HealthState::kWatch, {}, rule, now);
  } else {
    status = {.since = now, .rested_at = status.rested_at, .counted_from = now, .strikes = status.strikes};
  }
}

double ScoreOf(const HealthStatus& status, const Finding& nearest) {
  const double base = kScores[static_cast<size_t>(status.state)] + (status.is_probing() ? 10 : 0);
  return std::round(std::max(0.0, base - kPressing * (nearest.rule == nullptr ? 0 : nearest.pressure)));
}

}  // namespace

std::string_view ToString(HealthState state) { return kStates[static_cast<size_t>(state)]; }

std::optional<HealthState> ParseHealthState(std::string_view name) {
  for (size_t i = 0; i < kStates.size(); ++i) {
    if (kStates[i] == name) return static_cast<HealthState>(i);
  }
  return std::nullopt;
}

HealthOf KindOf(const HealthSubject& subject) {
  if (!subject.tenant.empty()) return HealthOf::kTenantProvider;
  if (!subject.sender_domain.empty()) return subject.provider.empty() ? HealthOf::kDomain : HealthOf::kDomainProvider;
  return subject.provider.empty() ? HealthOf::kSource : HealthOf::kSourceProvider;
}

Scope HealthScope(const HealthSubject& subject) {
  return {.source = subject.source, .provider = subject.provider, .tenant = subject.tenant, .sender_domain = subject.sender_domain};
}

std::string ToString(const HealthSubject& subject) { return ToString(HealthScope(subject)); }

const HealthRule* FindHealthRule(std::span<const HealthRule> rules, std::string_view name) {
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const HealthRule& rule) { return rule.name == name; });
  return found == rules.end() ? nullptr : &*found;
}

std::vector<HealthRule> HealthRulesOf(const std::vector<HealthRulePolicy>& changes) {
  std::vector<HealthRule> rules = ShippedHealthRules();
  for (const HealthRulePolicy& change : changes) {
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const HealthRule& r) { return r.name == change.rule; });
    if (rule == rules.end()) continue;
    if (change.disabled) {
      rules.erase(rule);
      continue;
    }
    rule->over = change.over.value_or(rule->over);
    rule->least = change.least.value_or(static_cast<int>(rule->least));
    rule->share = change.share.value_or(rule->share);
    rule->slow_to = change.slow_to.value_or(rule->slow_to);
    rule->rest = change.rest.value_or(rule->rest);
    rule->longest_rest = change.longest_rest.value_or(rule->longest_rest);
    rule->probe_every = change.probe_every.value_or(rule->probe_every);
    rule->probes = change.probes.value_or(rule->probes);
  }
  return rules;
}

HealthStatus JudgeHealth(std::span<const HealthRule> rules, const HealthSubject& subject, const HealthStatus& before,
                         const HealthInputs& inputs, Instant now) {
  HealthStatus status = before;
  const HealthOf of = KindOf(subject);
  Finding worst, nearest, standing;
  for (const HealthRule& rule : rules) {
    if (rule.of != of) continue;
    Finding finding = Check(rule, before, inputs, now);
    if (rule.name == before.rule) standing = finding;
    if (finding.fires() && (worst.rule == nullptr || rule.state > worst.rule->state)) worst = finding;
    if (finding.pressure > (nearest.rule == nullptr ? 0 : nearest.pressure)) nearest = std::move(finding);
  }
  const HealthRule* made_it = FindHealthRule(rules, before.rule);
  if (worst.fires() && worst.rule->state > status.state) {
    Worsen(status, worst, inputs, now);
  } else if (status.state != HealthState::kHealthy && made_it == nullptr) {
    // Its rule is gone: nobody would ever end it.
    status = {.since = now, .rested_at = status.rested_at, .counted_from = now};
  } else if (Rests(status.state)) {
    Probe(status, *made_it, standing, inputs, now);
  } else if (status.state != HealthState::kHealthy) {
    Ease(status, *made_it, worst, now);
  }
  const Finding& says = worst.fires() ? worst : nearest;
  status.worst = says.rule == nullptr ? "" : says.evidence;
  status.score = ScoreOf(status, nearest);
  return status;
}

std::string_view VerdictOf(std::span<const HealthRule> rules, const Opinion& opinion) {
  HealthState worst = HealthState::kHealthy;
  for (const HealthRule& rule : rules) {
    if (!rule.opinion.empty() && Pressure(rule, opinion) >= 1) worst = std::max(worst, rule.state);
  }
  return worst == HealthState::kHealthy ? "good" : worst == HealthState::kWatch ? "warning" : "bad";
}

std::optional<ConstraintValue> HealthValue(const HealthStatus& status, const HealthRule* rule) {
  if (status.state < HealthState::kThrottled) return std::nullopt;
  ConstraintValue value{.suspend = true};
  if (rule == nullptr) return value;
  if (status.state == HealthState::kThrottled) {
    const double share = rule->state == HealthState::kThrottled ? rule->slow_to : HealthRule().slow_to;
    value.trickle = Rate{std::max<int64_t>(1, std::llround(status.usual * share)), std::chrono::minutes(1)};
  } else if (status.is_probing()) {
    value.trickle = Rate{1, rule->probe_every};
  }
  return value;
}

}  // namespace sluice

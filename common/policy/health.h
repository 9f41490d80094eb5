// How a source stands, at a provider or everywhere, and what a tenant or sending domain sends: what replies, feedback and others say
// becomes one state, which acts through constraints. Pure: state, history, opinions, rules and now in; the state after it out.
//
//             a rule fires                            rest / 2 is over, or the opinion ended
//   healthy ───────────────▶ watch, throttled    ┌────────────────────────────▶ probing ──┐ probes accepted
//      ▲ ▲                        │    │ a worse │   (one attempt every probe_every)       │
//      │ └── rest over, ◀─────────┘    ▼ rule    │              │ one refused             ▼
//      │     a state a time    suspended, quarantined ◀─────────┘ (rests twice as long)  throttled
//      └───────────────────────────────────────────────────────────────────────────────────┘ rest over: watch, healthy
//
// What was counted before a state began does not count again after it. Of a sending domain deliveries are not counted: its probes lead
// back, to watch, when none was refused in the time that they take.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mail/policy_document.h"
#include "mail/rate.h"
#include "policy/constraints.h"
#include "policy/health_history.h"

namespace sluice {

enum class HealthState : uint8_t { kHealthy, kWatch, kThrottled, kSuspended, kQuarantined };
std::string_view ToString(HealthState state);
std::optional<HealthState> ParseHealthState(std::string_view name);

enum class HealthOf : uint8_t { kSourceProvider, kSource, kTenantProvider, kDomainProvider, kDomain };

// One of source, tenant and sender_domain; provider empty = everywhere.
struct HealthSubject {
  std::string source = {}, tenant = {}, sender_domain = {}, provider = {};
  friend auto operator<=>(const HealthSubject&, const HealthSubject&) = default;
};
HealthOf KindOf(const HealthSubject& subject);
// `source=ip-11 provider=google`.
std::string ToString(const HealthSubject& subject);

// A row of data/health.yaml, which explains the fields.
struct HealthRule {
  std::string_view name = {};
  HealthOf of = HealthOf::kSourceProvider;
  HealthSignal signal = HealthSignal::kAttempt;
  Duration over{};
  int64_t least = 0;
  double share = 0;
  std::string_view opinion = {};
  int providers = 0;
  HealthState state = HealthState::kWatch;
  double slow_to = 0.5;
  Duration rest{}, longest_rest = std::chrono::hours(24 * 3);
  Duration probe_every = std::chrono::minutes(5);
  int probes = 3;
  std::string_view remedy = {};
};
const std::vector<HealthRule>& ShippedHealthRules();
// Null = no such rule.
const HealthRule* FindHealthRule(std::span<const HealthRule> rules, std::string_view name);
// The shipped rules with what a policy says of single fields; those it turns off are left out.
std::vector<HealthRule> HealthRulesOf(const std::vector<HealthRulePolicy>& changes);

// What others say: a poller's word for it, and what it saw.
struct Opinion {
  std::string word = {}, evidence = {};
  double amount = 0;  // What the word is about, as a share: rules that name one compare it with theirs.
  friend bool operator==(const Opinion&, const Opinion&) = default;
};

struct HealthStatus {
  HealthState state = HealthState::kHealthy;
  std::string rule = {};      // That made it; empty = healthy.
  std::string evidence = {};  // What was seen then.
  std::string worst = {};     // What presses most now; empty = nothing.
  double score = 100;         // 100 = nothing known against it, 0 = quarantined.
  Instant since{};
  Instant until{};          // Not better before.
  Instant rested_at{};      // The present rest began.
  Instant counted_from{};   // Replies before it are settled.
  Instant probing_since{};  // 1970 = not probing.
  int strikes = 0;          // Rests within a week.
  double usual = 0;         // Attempts a minute before it was slowed.
  friend bool operator==(const HealthStatus&, const HealthStatus&) = default;
  bool is_probing() const { return probing_since != Instant{}; }
};

// A person's word stands above all until it ends.
struct HealthOverride {
  HealthState state = HealthState::kHealthy;
  std::optional<Instant> until = {};
  std::string reason = {}, author = {};
  friend bool operator==(const HealthOverride&, const HealthOverride&) = default;
};

struct HealthInputs {
  const HealthHistory& history;
  std::span<const Opinion> opinions = {};
  int suspended_providers = 0;  // Of a source: where it is suspended by itself.
};

// `rules`: all; those for other kinds of subject are passed over. A state that begins or ends has `since` = now.
HealthStatus JudgeHealth(std::span<const HealthRule> rules, const HealthSubject& subject, const HealthStatus& before,
                         const HealthInputs& inputs, Instant now);

// How grave the rules find an opinion: `good` where none fires, `warning` where it is only watched, else `bad`.
std::string_view VerdictOf(std::span<const HealthRule> rules, const Opinion& opinion);

// What it holds back; absent = nothing. `rule` is the one that made the state, null when the rules know it no more.
std::optional<ConstraintValue> HealthValue(const HealthStatus& status, const HealthRule* rule);
Scope HealthScope(const HealthSubject& subject);

}  // namespace sluice

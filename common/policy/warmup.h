// Warmup of one (address, provider): where it stands, and what a day or a minute of evidence makes of it. Pure; `today` and `now`
// are parameters, the counts come from the ledger.
//
//            start date               accepted 90 % of the cap, clean           past the last stage
//   cold ───────────────▶ warming(1) ─────────────▶ warming(n) ──────────────────────────────────▶ warm
//                            ▲   ▲                    │    │  hold: stays                          │
//                            │   └── regress: n - 2 ──┘    │                        idle, regress  │
//                            └── suspend: 1, and no mail ──┘   re-warming(n) ◀─────────────────────┘
//                                until `suspended_until`       (as warming)
//
// Over all states lie `held` (a person's: nothing is judged, the cap stays) and `suspended_until` (no cap at all; endless =
// a person is needed; one that a listing made ends with it). A stage rises only when a day opens; it falls at once.
//
// Small numbers. A rate counts as bad when its Wilson lower bound (99.5 %) is above the threshold, so that one complaint in fifty
// does not kill. It counts as good when the rate is below the good threshold *and* the upper bound (84 %) is below the bad one, or
// when nothing was seen: asking the upper bound to be below 0.1 % would take 1,000 clean recipients where stage 1 gives fifty.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "policy/warmup_opinion.h"
#include "policy/warmup_plan.h"

namespace sluice {

enum class WarmupPhase : uint8_t { kCold, kWarming, kWarm, kRewarming };
std::string_view ToString(WarmupPhase phase);
std::optional<WarmupPhase> ParseWarmupPhase(std::string_view name);

struct WarmupState {
  WarmupPhase phase = WarmupPhase::kCold;
  int stage = 1;  // Meaningless while cold or warm.
  bool held = false;
  std::optional<int64_t> start_day = {};  // Days since 1970; none = at once.
  std::optional<Instant> suspended_until = {};
  bool until_delisted = false;  // A listing made the suspension, and ends it if that is sooner.
  int suspensions = 0;  // How far up the ladder of suspensions the last one was; it counts for seven days.
  Instant suspended_at{};
  Instant slowed_at{};  // The fast path halves at most once an hour; also when it last sent back.
  int64_t judged_day = 0, active_day = 0;
  // What was seen before counts no more: a suspension has answered it, or a person has overruled it.
  int64_t evidence_day = 0;  // The first day that is judged.
  Instant resumed_at{};      // By a person.
  friend bool operator==(const WarmupState&, const WarmupState&) = default;
};

// `suspended_until` of an address that only a person may let send again.
inline constexpr Instant kUntilAPerson = FromMicros(253'370'764'800'000'000);  // Year 9999.

// What was counted for one (address, provider), over a day or since some moment.
struct WarmupCounts {
  int64_t attempted = 0, accepted = 0, deferred = 0, bounced = 0, complained = 0;
  int64_t throttled = 0;  // Deferred, in class throttle or block.
  int64_t blocked = 0;    // Refused for the sending address.
  WarmupCounts& operator+=(const WarmupCounts& other);
  friend WarmupCounts operator-(const WarmupCounts& a, const WarmupCounts& b);
  friend bool operator==(const WarmupCounts&, const WarmupCounts&) = default;
};

struct WarmupDay {
  int64_t day = 0;  // Days since 1970.
  std::optional<int64_t> cap = {};
  WarmupCounts counts = {};
  bool total_used_up = false;  // The address's total was what stopped it.
};

enum class WarmupDecision : uint8_t { kNone, kStart, kAdvance, kHold, kRegress, kSuspend, kResume, kSlow, kDecay, kGuard };
std::string_view ToString(WarmupDecision decision);

struct Judgement {
  WarmupDecision decision = WarmupDecision::kNone;
  WarmupState state;     // After it.
  std::string_view why;  // A word of the bounded list in deploy/docs/warmup.md.
  std::string evidence;  // What was seen, for people.
};

struct WarmupThresholds {
  int64_t least_sample = 100;
  int window_days = 7;  // Three would leave 25 a day at Apple unjudged for ever.
  double full = 0.9;  // Of the cap, accepted.
  double bounce_good = 0.02, bounce_bad = 0.05;
  double deferral_good = 0.05, deferral_bad = 0.15;
  double microsoft_deferral_good = 0.005, microsoft_deferral_bad = 0.05;
  double complaint_good = 0.001, complaint_bad = 0.003, complaint_stop = 0.005;
  // Fast path.
  double bounce_slow = 0.03, bounce_stop = 0.10, complaint_slow = 0.002;
  int64_t blocks_an_hour = 5;
};

// The day that begins: `days` are the closed days known, oldest first; those after `state.judged_day` have not been judged. Applies
// the start, idle decay, then the verdict on the last closed day.
Judgement JudgeDay(const WarmupPlan& plan, std::string_view provider, const WarmupState& state, std::span<const WarmupDay> days,
                   const WarmupOpinion& others, int64_t today, Instant now, const WarmupThresholds& thresholds = {});

// At least each minute: `recent` is what was counted since the last reaction of this day, `last_hour` within the hour. kNone, kSlow
// (halve what is left of the day), kRegress, kSuspend or kResume. An opinion acts once: one that began before the last reaction, or
// before a person resumed, has acted.
Judgement JudgeMinute(const WarmupState& state, const WarmupCounts& recent, const WarmupCounts& last_hour, const WarmupOpinion& others,
                      Instant now, const WarmupThresholds& thresholds = {});

// Attempts that `state` may make on a day; none = no cap. Suspended, cold: 0. A warm address whose volume has collapsed gets a soft
// cap of twice its best of the last seven days (spike guard).
std::optional<int64_t> CapFor(const WarmupPlan& plan, std::string_view provider, const WarmupState& state,
                              std::span<const WarmupDay> days, int64_t today, Instant now);

bool IsSuspended(const WarmupState& state, Instant now);
// Whether mail of this state needs grants.
bool NeedsGrants(const WarmupState& state);
// The worst of an address's providers comes first in this order.
bool IsWorse(const WarmupState& a, const WarmupState& b);
// Suspends from `now`, for longer when it was suspended within seven days: 4 h, 8 h, 24 h, 72 h, until a person says so.
// `first` is where this reason begins.
void SuspendWarmup(WarmupState& state, Duration first, Instant now);
// A person lets it go on: what was seen until now suspends nobody again. The day of it is not judged, for it is mixed of both.
void ResumeWarmup(WarmupState& state, int64_t today, Instant now);
// Stages lost by an idle time of `days` (warmup.md §3.6); -1 = begin again.
int StagesLost(int64_t idle_days);

}  // namespace sluice

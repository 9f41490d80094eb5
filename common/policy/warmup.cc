#include "policy/warmup.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "policy/confidence.h"

namespace sluice {
namespace {

constexpr double kSure = 2.576;    // For bad news.
constexpr double kLikely = 1.0;    // For good news.
constexpr int kRegressBy = 2;
constexpr int kRestartWarm = 3;
constexpr int64_t kLongestIdle = 30;
constexpr auto kRepeatWithin = std::chrono::hours(24 * 7);
constexpr auto kSlowEvery = std::chrono::hours(1);
constexpr std::array<Duration, 4> kSuspensions = {std::chrono::hours(4), std::chrono::hours(8), std::chrono::hours(24),
                                                  std::chrono::hours(72)};
constexpr int64_t kGuardFrom = 1'000;  // A peak below says nothing about jumps.
constexpr double kGuardShare = 0.2;

enum class Grade : uint8_t { kGood, kBetween, kBad };

Grade GradeOf(int64_t k, int64_t n, double good, double bad) {
  if (WilsonLower(k, n, kSure) > bad) return Grade::kBad;
  if (k == 0) return Grade::kGood;
  const double rate = static_cast<double>(k) / static_cast<double>(n);
  return rate < good && WilsonUpper(k, n, kLikely) < bad ? Grade::kGood : Grade::kBetween;
}

bool IsMicrosoft(std::string_view provider) { return provider == "ms-consumer" || provider == "m365"; }

std::string Evidence(const WarmupCounts& c, std::optional<int64_t> cap, int days) {
  std::string out = Cat("accepted ", c.accepted, " of ", c.attempted, " attempts");
  if (cap) Append(out, ", cap ", *cap);
  Append(out, ", deferred ", c.throttled, " by throttle or block, bounced ", c.bounced, ", complained ", c.complained);
  if (days > 1) Append(out, ", over ", days, " days");
  return out;
}

void Regress(WarmupState& state, const WarmupPlan& plan, int by) {
  const int from = state.phase == WarmupPhase::kWarm ? StageCount(plan) + 1 : state.stage;
  if (state.phase == WarmupPhase::kWarm) state.phase = WarmupPhase::kRewarming;
  state.stage = std::max(1, from - by);
}

// The counts to judge by: the last day, or a few days together when that is too small a sample.
struct Sample {
  WarmupCounts counts;
  int days = 1;
};
Sample SampleOf(std::span<const WarmupDay> days, const WarmupThresholds& thresholds) {
  Sample sample{.counts = days.back().counts, .days = 1};
  for (size_t i = days.size() - 1; i > 0 && sample.counts.attempted < thresholds.least_sample; --i) {
    if (days.back().day - days[i - 1].day >= thresholds.window_days) break;
    sample.counts += days[i - 1].counts;
    sample.days = static_cast<int>(days.back().day - days[i - 1].day) + 1;
  }
  return sample;
}

struct Verdict {
  WarmupDecision decision;
  std::string_view why;
};

Verdict Worst(const Sample& sample, std::string_view provider, Standing standing, const WarmupThresholds& t) {
  const WarmupCounts& c = sample.counts;
  if (standing == Standing::kListed) return {WarmupDecision::kSuspend, "listed"};
  const bool enough = c.attempted >= t.least_sample;
  if (enough && WilsonLower(c.complained, c.attempted, kSure) > t.complaint_stop) {
    return {WarmupDecision::kSuspend, "complaints"};
  }
  if (standing == Standing::kTrap) return {WarmupDecision::kRegress, "trap"};
  if (standing == Standing::kRed) return {WarmupDecision::kRegress, "snds"};
  if (!enough) return {WarmupDecision::kHold, "sample"};
  const bool microsoft = IsMicrosoft(provider);
  const std::array<std::pair<Grade, std::string_view>, 3> grades = {{
      {GradeOf(c.bounced, c.attempted, t.bounce_good, t.bounce_bad), "bounces"},
      {GradeOf(c.throttled, c.attempted, microsoft ? t.microsoft_deferral_good : t.deferral_good,
               microsoft ? t.microsoft_deferral_bad : t.deferral_bad),
       "deferrals"},
      {GradeOf(c.complained, c.attempted, t.complaint_good, t.complaint_bad), "complaints"},
  }};
  for (const auto& [grade, why] : grades) {
    if (grade == Grade::kBad) return {WarmupDecision::kRegress, why};
  }
  for (const auto& [grade, why] : grades) {
    if (grade == Grade::kBetween) return {WarmupDecision::kHold, why};
  }
  if (standing == Standing::kYellow) return {WarmupDecision::kHold, "snds"};
  return {WarmupDecision::kAdvance, "clean"};
}

// Whether the day's cap was really used.
bool IsFull(const WarmupDay& day, double full) {
  if (!day.cap.has_value()) return true;
  const auto accepted = static_cast<double>(day.counts.accepted);
  if (accepted >= full * static_cast<double>(*day.cap)) return true;
  // The total gave it less than its cap: it has used what it was given.
  return day.total_used_up && accepted >= full * static_cast<double>(day.counts.attempted) &&
         day.counts.attempted * 4 >= *day.cap;
}

void Advance(WarmupState& state, const WarmupPlan& plan) {
  if (++state.stage > StageCount(plan)) state.phase = WarmupPhase::kWarm;
}

Judgement Start(WarmupState state, int64_t today) {
  Judgement out{.decision = WarmupDecision::kNone, .state = state, .why = "start", .evidence = {}};
  if (state.start_day.has_value() && today < *state.start_day) return out;
  out.decision = WarmupDecision::kStart;
  out.state.phase = WarmupPhase::kWarming;
  out.state.judged_day = today - 1;
  out.state.active_day = today;
  out.evidence = Cat("starts at stage ", state.stage);
  return out;
}

// Idle decay, for the days since the last judgement; none when nothing was lost.
std::optional<Judgement> Decay(const WarmupPlan& plan, const WarmupState& state, int64_t today) {
  const int64_t idle = today - state.active_day;
  const int64_t before = std::clamp<int64_t>(state.judged_day + 1 - state.active_day, 0, idle);
  const int lost = StagesLost(idle);
  const int lost_before = StagesLost(before);
  if (lost == lost_before || lost_before < 0) return std::nullopt;
  Judgement out{.decision = WarmupDecision::kDecay, .state = state, .why = "idle", .evidence = Cat("idle for ", idle, " days")};
  if (lost < 0) {
    const bool was_warm = state.phase == WarmupPhase::kWarm || state.phase == WarmupPhase::kRewarming;
    out.state.stage = was_warm ? std::min(kRestartWarm, StageCount(plan)) : 1;
    if (was_warm) out.state.phase = WarmupPhase::kRewarming;
  } else {
    Regress(out.state, plan, lost - lost_before);
  }
  return out;
}

void Apply(Judgement& out, const WarmupPlan& plan, const WarmupDay& last, Instant now, double full) {
  const bool is_warm = out.state.phase == WarmupPhase::kWarm;
  switch (out.decision) {
    case WarmupDecision::kAdvance:
      if (is_warm) {
        out.decision = WarmupDecision::kNone;
      } else if (!IsFull(last, full)) {
        out.decision = WarmupDecision::kHold;
        out.why = "unused";
      } else {
        Advance(out.state, plan);
      }
      return;
    case WarmupDecision::kRegress:
      Regress(out.state, plan, kRegressBy);
      return;
    case WarmupDecision::kSuspend:
      Regress(out.state, plan, StageCount(plan) + 1);
      SuspendWarmup(out.state, kSuspensions[2], now);
      return;
    default:
      if (is_warm) out.decision = WarmupDecision::kNone;
      return;
  }
}

double Average7(std::span<const WarmupDay> days, int64_t end) {
  int64_t sum = 0;
  for (const WarmupDay& day : days) {
    if (day.day > end - 7 && day.day <= end) sum += day.counts.attempted;
  }
  return static_cast<double>(sum) / 7;
}

}  // namespace

WarmupCounts& WarmupCounts::operator+=(const WarmupCounts& other) {
  attempted += other.attempted;
  accepted += other.accepted;
  deferred += other.deferred;
  bounced += other.bounced;
  complained += other.complained;
  throttled += other.throttled;
  blocked += other.blocked;
  return *this;
}

WarmupCounts operator-(const WarmupCounts& a, const WarmupCounts& b) {
  return {.attempted = a.attempted - b.attempted,
          .accepted = a.accepted - b.accepted,
          .deferred = a.deferred - b.deferred,
          .bounced = a.bounced - b.bounced,
          .complained = a.complained - b.complained,
          .throttled = a.throttled - b.throttled,
          .blocked = a.blocked - b.blocked};
}

std::string_view ToString(WarmupPhase phase) {
  switch (phase) {
    case WarmupPhase::kCold:
      return "cold";
    case WarmupPhase::kWarming:
      return "warming";
    case WarmupPhase::kWarm:
      return "warm";
    case WarmupPhase::kRewarming:
      return "re-warming";
  }
  return "";
}

std::optional<WarmupPhase> ParseWarmupPhase(std::string_view name) {
  for (const WarmupPhase phase : {WarmupPhase::kCold, WarmupPhase::kWarming, WarmupPhase::kWarm, WarmupPhase::kRewarming}) {
    if (ToString(phase) == name) return phase;
  }
  return std::nullopt;
}

std::string_view ToString(WarmupDecision decision) {
  switch (decision) {
    case WarmupDecision::kNone:
      return "none";
    case WarmupDecision::kStart:
      return "start";
    case WarmupDecision::kAdvance:
      return "advance";
    case WarmupDecision::kHold:
      return "hold";
    case WarmupDecision::kRegress:
      return "regress";
    case WarmupDecision::kSuspend:
      return "suspend";
    case WarmupDecision::kSlow:
      return "slow";
    case WarmupDecision::kDecay:
      return "decay";
    case WarmupDecision::kGuard:
      return "guard";
  }
  return "";
}

int StagesLost(int64_t idle_days) {
  if (idle_days > kLongestIdle) return -1;
  if (idle_days >= 15) return static_cast<int>(idle_days / 4);
  return idle_days >= 8 ? 1 : 0;
}

void SuspendWarmup(WarmupState& state, Duration first, Instant now) {
  const bool again = state.suspensions > 0 && now - state.suspended_at < kRepeatWithin;
  size_t step = again ? static_cast<size_t>(state.suspensions) : 0;
  while (step < kSuspensions.size() && kSuspensions[step] < first) ++step;
  state.suspensions = static_cast<int>(step) + 1;
  state.suspended_at = now;
  state.suspended_until = step < kSuspensions.size() ? now + kSuspensions[step] : kUntilAPerson;
}

Judgement JudgeDay(const WarmupPlan& plan, std::string_view provider, const WarmupState& state, std::span<const WarmupDay> days,
                   Standing standing, int64_t today, Instant now, const WarmupThresholds& thresholds) {
  if (state.phase == WarmupPhase::kCold) return Start(state, today);
  Judgement out{.decision = WarmupDecision::kHold, .state = state, .why = "traffic", .evidence = "nothing was sent"};
  const bool is_new = !days.empty() && days.back().day > state.judged_day && days.back().counts.attempted > 0;
  if (is_new) out.state.active_day = days.back().day;
  out.state.judged_day = today - 1;
  if (state.held) {
    out.why = "person";
    out.evidence = "held by a person";
    return out;
  }
  if (!is_new) {
    if (auto decay = Decay(plan, state, today)) {
      decay->state.judged_day = today - 1;
      return *std::move(decay);
    }
    if (state.phase == WarmupPhase::kWarm) out.decision = WarmupDecision::kNone;
    return out;
  }
  const Sample sample = SampleOf(days, thresholds);
  const Verdict verdict = Worst(sample, provider, standing, thresholds);
  out.decision = verdict.decision;
  out.why = verdict.why;
  out.evidence = Evidence(sample.counts, days.back().cap, sample.days);
  Apply(out, plan, days.back(), now, thresholds.full);
  return out;
}

Judgement JudgeMinute(const WarmupState& state, const WarmupCounts& recent, const WarmupCounts& last_hour, Standing standing,
                      Instant now, const WarmupThresholds& t) {
  Judgement out{.decision = WarmupDecision::kNone, .state = state, .why = {}, .evidence = Evidence(recent, {}, 1)};
  if (state.phase == WarmupPhase::kCold || (state.suspended_until && now < *state.suspended_until)) return out;
  const auto suspend = [&](std::string_view why, Duration first) {
    out.decision = WarmupDecision::kSuspend;
    out.why = why;
    SuspendWarmup(out.state, first, now);
  };
  if (last_hour.blocked >= t.blocks_an_hour || standing == Standing::kListed) {
    out.evidence = Cat(last_hour.blocked, " replies within the hour refused the address", standing == Standing::kListed ? ", listed" : "");
    if (out.state.phase == WarmupPhase::kWarm) out.state.phase = WarmupPhase::kRewarming;
    out.state.stage = 1;
    suspend(standing == Standing::kListed ? "listed" : "blocked", kSuspensions[2]);
    return out;
  }
  if (recent.attempted < t.least_sample) return out;
  const double bounces = WilsonLower(recent.bounced, recent.attempted, kSure);
  const double complaints = WilsonLower(recent.complained, recent.attempted, kSure);
  if (bounces >= t.bounce_stop || complaints >= t.complaint_stop) {
    suspend(bounces >= t.bounce_stop ? "bounces" : "complaints", kSuspensions[0]);
  } else if ((bounces >= t.bounce_slow || complaints >= t.complaint_slow) && now - state.slowed_at >= kSlowEvery) {
    out.decision = WarmupDecision::kSlow;
    out.why = bounces >= t.bounce_slow ? "bounces" : "complaints";
    out.state.slowed_at = now;
  }
  return out;
}

std::optional<int64_t> CapFor(const WarmupPlan& plan, std::string_view provider, const WarmupState& state,
                              std::span<const WarmupDay> days, int64_t today, Instant now) {
  if (state.phase == WarmupPhase::kCold || (state.suspended_until && now < *state.suspended_until)) return 0;
  if (state.phase != WarmupPhase::kWarm) return CapOf(plan, state.stage, provider);
  double peak = 0;
  int64_t best = 0;
  for (const WarmupDay& day : days) {
    peak = std::max(peak, Average7(days, day.day));
    if (day.day >= today - 7 && day.day < today) best = std::max(best, day.counts.attempted);
  }
  if (peak < kGuardFrom || Average7(days, today - 1) >= kGuardShare * peak) return std::nullopt;
  const int64_t floor = CapOf(plan, 1, provider).value_or(kGuardFrom);
  return std::max(2 * best, floor);
}

bool NeedsGrants(const WarmupState& state) { return state.phase != WarmupPhase::kWarm; }

bool IsWorse(const WarmupState& a, const WarmupState& b) {
  const auto rank = [](const WarmupState& s) {
    if (s.suspended_until.has_value()) return -2;
    return s.phase == WarmupPhase::kCold ? -1 : s.phase == WarmupPhase::kWarm ? 1'000'000 : s.stage;
  };
  return rank(a) < rank(b);
}

}  // namespace sluice

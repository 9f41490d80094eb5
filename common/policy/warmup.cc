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
constexpr auto kSlowEvery = std::chrono::hours(1);
// Where suspensions begin; they grow from there.
constexpr auto kShort = std::chrono::hours(4), kLong = std::chrono::hours(24);
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

std::string Evidence(const WarmupCounts& c, std::optional<int64_t> cap, int days, const WarmupOpinion& others) {
  std::string out = Cat("accepted ", c.accepted, " of ", c.attempted, " attempts");
  if (cap) Append(out, ", cap ", *cap);
  Append(out, ", deferred ", c.throttled, " by throttle or block, bounced ", c.bounced, ", complained ", c.complained);
  if (days > 1) Append(out, ", over ", days, " days");
  if (others.standing != Standing::kNone) Append(out, "; ", others.why, ": ", others.evidence);
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

// Something that began after the last time that it sent back or suspended, or that a person overruled it.
bool IsNews(const WarmupOpinion& others, const WarmupState& state) {
  return others.since > std::max({state.suspended_at, state.slowed_at, state.resumed_at});
}

Verdict Worst(const Sample& sample, std::string_view provider, const WarmupState& state, const WarmupOpinion& others,
              const WarmupThresholds& t) {
  const WarmupCounts& c = sample.counts;
  const bool is_news = IsNews(others, state);
  if (others.standing == Standing::kListed && is_news) return {WarmupDecision::kSuspend, others.why};
  const bool enough = c.attempted >= t.least_sample;
  if (enough && WilsonLower(c.complained, c.attempted, kSure) > t.complaint_stop) {
    return {WarmupDecision::kSuspend, "complaints"};
  }
  if (others.standing == Standing::kTrap || others.standing == Standing::kRed) return {WarmupDecision::kRegress, others.why};
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
  if (others.standing != Standing::kNone) return {WarmupDecision::kHold, others.why};
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
      SuspendWarmup(out.state, kLong, now);
      return;
    default:
      if (is_warm) out.decision = WarmupDecision::kNone;
      return;
  }
}

// What others say, where it is news: a listing and a refusal that pauses warmup suspend, a lesser refusal sends back.
bool FollowOthers(const WarmupOpinion& others, Instant now, Judgement& out) {
  if (!IsNews(others, out.state)) return false;
  const bool rests = others.standing == Standing::kListed || others.pause > Duration::zero();
  if (!rests && (others.stages == 0 || out.state.held || out.state.phase == WarmupPhase::kWarm)) return false;
  out.why = others.why;
  out.evidence = others.evidence;
  if (out.state.phase == WarmupPhase::kWarm) out.state.phase = WarmupPhase::kRewarming;
  if (rests) {
    out.decision = WarmupDecision::kSuspend;
    out.state.stage = 1;
    SuspendWarmup(out.state, std::max<Duration>(kLong, others.pause), now);
    out.state.until_delisted = others.standing == Standing::kListed;
  } else {
    out.decision = WarmupDecision::kRegress;
    out.state.stage = std::max(1, out.state.stage - others.stages);
    out.state.slowed_at = now;
  }
  return true;
}

// A suspension that ended with its listing was not served in full: the next is no longer than it was.
void LetGo(Judgement& out) {
  out.decision = WarmupDecision::kResume;
  out.why = "delisted";
  out.evidence = Cat("nobody lists it any more; it was suspended until ", ToString(*out.state.suspended_until));
  out.state.suspended_until.reset();
  out.state.until_delisted = false;
  --out.state.suspensions;
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

int StagesLost(int64_t idle_days) {
  if (idle_days > kLongestIdle) return -1;
  if (idle_days >= 15) return static_cast<int>(idle_days / 4);
  return idle_days >= 8 ? 1 : 0;
}

Judgement JudgeDay(const WarmupPlan& plan, std::string_view provider, const WarmupState& state, std::span<const WarmupDay> days,
                   const WarmupOpinion& others, int64_t today, Instant now, const WarmupThresholds& thresholds) {
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
  while (!days.empty() && days.front().day < state.evidence_day) days = days.subspan(1);
  if (days.empty()) {
    out.why = "person";
    out.evidence = "a person let it go on that day: the next is judged";
    return out;
  }
  const Sample sample = SampleOf(days, thresholds);
  const Verdict verdict = Worst(sample, provider, state, others, thresholds);
  out.decision = verdict.decision;
  out.why = verdict.why;
  out.evidence = Evidence(sample.counts, days.back().cap, sample.days, others);
  Apply(out, plan, days.back(), now, thresholds.full);
  if (out.decision == WarmupDecision::kSuspend) {
    out.state.evidence_day = today;
    out.state.until_delisted = out.why == others.why;
  }
  return out;
}

Judgement JudgeMinute(const WarmupState& state, const WarmupCounts& recent, const WarmupCounts& last_hour, const WarmupOpinion& others,
                      Instant now, const WarmupThresholds& t) {
  Judgement out{.decision = WarmupDecision::kNone, .state = state, .why = {}, .evidence = Evidence(recent, {}, 1, {})};
  if (state.phase == WarmupPhase::kCold) return out;
  if (IsSuspended(state, now)) {
    if (state.until_delisted && others.standing != Standing::kListed && *state.suspended_until != kUntilAPerson) LetGo(out);
    return out;
  }
  if (FollowOthers(others, now, out)) return out;
  const auto suspend = [&](std::string_view why, Duration first) {
    out.decision = WarmupDecision::kSuspend;
    out.why = why;
    SuspendWarmup(out.state, first, now);
  };
  if (last_hour.blocked >= t.blocks_an_hour) {
    out.evidence = Cat(last_hour.blocked, " replies within the hour refused the address");
    if (out.state.phase == WarmupPhase::kWarm) out.state.phase = WarmupPhase::kRewarming;
    out.state.stage = 1;
    suspend("blocked", kLong);
    return out;
  }
  if (recent.attempted < t.least_sample) return out;
  const double bounces = WilsonLower(recent.bounced, recent.attempted, kSure);
  const double complaints = WilsonLower(recent.complained, recent.attempted, kSure);
  if (bounces >= t.bounce_stop || complaints >= t.complaint_stop) {
    suspend(bounces >= t.bounce_stop ? "bounces" : "complaints", kShort);
  } else if ((bounces >= t.bounce_slow || complaints >= t.complaint_slow) && now - state.slowed_at >= kSlowEvery) {
    out.decision = WarmupDecision::kSlow;
    out.why = bounces >= t.bounce_slow ? "bounces" : "complaints";
    out.state.slowed_at = now;
  }
  return out;
}

std::optional<int64_t> CapFor(const WarmupPlan& plan, std::string_view provider, const WarmupState& state,
                              std::span<const WarmupDay> days, int64_t today, Instant now) {
  if (state.phase == WarmupPhase::kCold || IsSuspended(state, now)) return 0;
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

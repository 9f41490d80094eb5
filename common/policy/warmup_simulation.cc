#include "policy/warmup_simulation.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <random>

#include "base/text.h"

namespace sluice {
namespace {

constexpr int kSlices = 24;  // Hours.
constexpr int64_t kFirstDay = 20'000;
constexpr int64_t kDayMicros = 86'400'000'000;
constexpr double kFull = 0.95;
constexpr int kFullFor = 3;
constexpr auto kPersonAfter = std::chrono::hours(48);  // Then somebody looks at what waits for a person.

struct Lane {
  const TrafficShare* share;
  std::unique_ptr<ModelledProvider> provider;
  int64_t waiting = 0;
  WarmupCounts today;
};

class World {
 public:
  explicit World(const WarmupScenario& scenario) : scenario_(scenario), random_(scenario.seed) {
    for (const TrafficShare& share : scenario.traffic) {
      lanes_.push_back({.share = &share,
                        .provider = std::make_unique<ModelledProvider>(
                            share.model, [this] { return std::uniform_real_distribution<double>(0, 1)(random_); }),
                        .waiting = 0,
                        .today = {}});
    }
  }
  std::vector<Lane>& lanes() { return lanes_; }

  void BeginDay() {
    for (Lane& lane : lanes_) {
      // What has waited longer than a day has gone elsewhere.
      lane.waiting = std::min<int64_t>(lane.waiting, Wanted(lane)) + Wanted(lane);
      lane.today = {};
    }
  }
  // An hour's worth of at most `cap` for the day in all; `left` of the total is what it may use.
  void SendSlice(Lane& lane, int day, int slice, int64_t cap, int64_t& left) {
    const int64_t due = cap < 0 ? lane.waiting : cap * (slice + 1) / kSlices - lane.today.attempted;
    const int64_t even = lane.waiting / (kSlices - slice);
    int64_t n = std::min(cap < 0 ? even : due, lane.waiting);
    if (left >= 0) n = std::min(n, left);
    if (n <= 0) return;
    const WarmupCounts counts = lane.provider->Send(n, scenario_.risk ? scenario_.risk(day) : 1);
    lane.today += counts;
    lane.waiting -= n - counts.deferred;
    if (left >= 0) left -= n;
  }
  SimulatedDay EndDay(int day) {
    SimulatedDay out{.day = day, .stages = {}, .counts = {}, .by_provider = {}};
    for (Lane& lane : lanes_) {
      out.counts += lane.today;
      out.by_provider[lane.share->provider] = lane.today;
      out.waiting += lane.waiting;
      lane.provider->EndDay();
      out.blocking += lane.provider->is_blocking() ? 1 : 0;
    }
    return out;
  }
  int blocks() const {
    int sum = 0;
    for (const Lane& lane : lanes_) sum += lane.provider->blocks();
    return sum;
  }

 private:
  int64_t Wanted(const Lane& lane) const {
    return static_cast<int64_t>(static_cast<double>(scenario_.volume) * lane.share->share);
  }
  const WarmupScenario& scenario_;
  std::mt19937_64 random_;
  std::vector<Lane> lanes_;
};

void Finish(const WarmupScenario& scenario, Simulation& out) {
  int good = 0;
  for (const SimulatedDay& day : out.days) {
    out.counts += day.counts;
    out.delayed += day.waiting;
    good = static_cast<double>(day.counts.accepted) >= kFull * static_cast<double>(scenario.volume) ? good + 1 : 0;
    if (good == kFullFor && out.full_day < 0) out.full_day = day.day - kFullFor + 1;
  }
}

Instant At(int day, int slice) {
  return FromMicros((kFirstDay + day) * kDayMicros + slice * (kDayMicros / kSlices) + 300'000'000);
}

// Our controller at one provider.
struct Controlled {
  WarmupState state{.phase = WarmupPhase::kCold, .stage = 1};
  std::vector<WarmupDay> days;
  std::optional<int64_t> cap;
  WarmupCounts since;

  void OpenDay(const WarmupPlan& plan, const std::string& provider, int64_t today, Instant now) {
    if (state.suspended_until == kUntilAPerson && now - state.suspended_at >= kPersonAfter) {
      ResumeWarmup(state, today, now);
    }
    state = JudgeDay(plan, provider, state, days, {}, today, now).state;
    WarmupState unsuspended = state;
    unsuspended.suspended_until.reset();
    cap = CapFor(plan, provider, unsuspended, days, today, now);
    since = {};
  }
  bool MaySend(Instant now) const { return !state.suspended_until || now >= *state.suspended_until; }
  void React(const WarmupPlan& plan, const std::string& provider, const WarmupCounts& today, Instant now) {
    const WarmupCounts recent = today - since;
    const Judgement judgement = JudgeMinute(state, recent, {.blocked = recent.blocked}, {}, now);
    if (judgement.decision == WarmupDecision::kNone) return;
    state = judgement.state;
    since = today;
    if (judgement.decision == WarmupDecision::kSlow) cap = today.attempted + (cap.value_or(2 * today.attempted) - today.attempted) / 2;
    if (judgement.decision == WarmupDecision::kSuspend && cap) {
      cap = std::min(*cap, CapOf(plan, state.stage, provider).value_or(*cap));
    }
  }
};

}  // namespace

Simulation SimulateWarmup(const WarmupScenario& scenario) {
  World world(scenario);
  std::vector<Controlled> controlled(world.lanes().size());
  Simulation out;
  for (int day = 0; day < scenario.days; ++day) {
    world.BeginDay();
    std::optional<int64_t> total = 0;
    for (size_t i = 0; i < controlled.size(); ++i) {
      const std::string& name = world.lanes()[i].share->provider;
      Controlled& one = controlled[i];
      one.OpenDay(scenario.plan, std::string(ColumnOf(scenario.plan, name)), kFirstDay + day, At(day, 0));
      const auto mine = one.state.phase == WarmupPhase::kWarm ? std::nullopt : CapOf(scenario.plan, one.state.stage, kWarmupTotal);
      total = total && mine ? std::optional(std::max(*total, *mine)) : std::nullopt;
    }
    int64_t left = total.value_or(-1);
    for (int slice = 0; slice < kSlices; ++slice) {
      for (size_t k = 0; k < controlled.size(); ++k) {
        const size_t i = (k + static_cast<size_t>(slice)) % controlled.size();
        Lane& lane = world.lanes()[i];
        Controlled& one = controlled[i];
        if (!one.MaySend(At(day, slice))) continue;
        world.SendSlice(lane, day, slice, one.cap.value_or(-1), left);
        one.React(scenario.plan, std::string(ColumnOf(scenario.plan, lane.share->provider)), lane.today, At(day, slice));
      }
    }
    std::vector<std::pair<std::string, int>> stages;
    int suspended = 0;
    for (size_t i = 0; i < controlled.size(); ++i) {
      Controlled& one = controlled[i];
      stages.emplace_back(world.lanes()[i].share->provider, one.state.stage);
      suspended += one.MaySend(At(day, kSlices - 1)) ? 0 : 1;
      const bool used_up = total && left <= *total / 10;
      one.days.push_back({.day = kFirstDay + day, .cap = one.cap, .counts = world.lanes()[i].today, .total_used_up = used_up});
    }
    SimulatedDay& simulated = out.days.emplace_back(world.EndDay(day));
    simulated.stages.insert(stages.begin(), stages.end());
    simulated.suspended = suspended;
  }
  out.blocks = world.blocks();
  Finish(scenario, out);
  return out;
}

Simulation SimulateFixed(const WarmupScenario& scenario, const FixedCaps& caps) {
  World world(scenario);
  Simulation out;
  for (int day = 0; day < scenario.days; ++day) {
    world.BeginDay();
    int64_t left = caps.total(day);
    for (int slice = 0; slice < kSlices; ++slice) {
      for (size_t k = 0; k < world.lanes().size(); ++k) {
        Lane& lane = world.lanes()[(k + static_cast<size_t>(slice)) % world.lanes().size()];
        int64_t cap = caps.provider(day, lane.share->provider);
        // A total alone is given to all in proportion.
        if (cap < 0 && left >= 0) cap = static_cast<int64_t>(static_cast<double>(caps.total(day)) * lane.share->share);
        world.SendSlice(lane, day, slice, cap, left);
      }
    }
    out.days.push_back(world.EndDay(day));
  }
  out.blocks = world.blocks();
  Finish(scenario, out);
  return out;
}

std::vector<TrafficShare> UsualTraffic() {
  ProviderModel google{.trust = 300, .growth = 2.2, .late_growth = 1.6, .throttle_share = 0.8};
  ProviderModel microsoft{.trust = 120, .growth = 1.9, .late_growth = 1.4, .throttle_share = 0.95, .overrun_cost = 0.7,
                          .block_complaints = 0.004};
  ProviderModel yahoo{.trust = 150, .growth = 2.0, .late_growth = 1.5, .throttle_share = 0.9, .block_complaints = 0.005};
  ProviderModel apple{.trust = 60, .growth = 1.9, .late_growth = 1.4, .throttle_share = 0.95};
  ProviderModel other{.trust = 400, .growth = 2.5, .late_growth = 2, .throttle_share = 0.6, .overrun_cost = 0.2};
  return {{"google", 0.40, google}, {"ms-consumer", 0.25, microsoft}, {"yahoo", 0.15, yahoo}, {"apple", 0.10, apple}, {"other", 0.10, other}};
}

absl::StatusOr<std::vector<TrafficShare>> TrafficFromText(std::string_view text) {
  const std::vector<TrafficShare> usual = UsualTraffic();
  std::vector<TrafficShare> out;
  double sum = 0;
  for (bool more = true; more;) {
    const size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    more = comma != std::string_view::npos;
    text.remove_prefix(more ? comma + 1 : text.size());
    const size_t equals = part.find('=');
    const std::string_view provider = part.substr(0, equals), number = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    double share = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), share);
    if (provider.empty() || error != std::errc() || end != number.data() + number.size() || !(share > 0 && share <= 1e9)) {
      return absl::InvalidArgumentError(Cat(Quoted(part), " is no share; write them like google=40,yahoo=20,other=40"));
    }
    const auto known = std::find_if(usual.begin(), usual.end(), [&](const TrafficShare& one) { return one.provider == provider; });
    out.push_back({std::string(provider), share, known == usual.end() ? usual.back().model : known->model});
    sum += share;
  }
  for (TrafficShare& one : out) one.share /= sum;
  return out;
}

}  // namespace sluice

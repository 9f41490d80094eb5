// Shares of a rate that several schedulers keep together: a model of schedulers, a table of shares and one who plans, with time of its
// own. What must hold: never more than the count in any interval, whoever lets go and whoever dies; and it is used where it is wanted.
#include "policy/rate_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <random>

#include "base/text.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kStep = milliseconds(5), kRound = milliseconds(500), kLease = seconds(10), kMargin = seconds(2);

class Model {
 public:
  // `delay`: from handing out to beginning.
  explicit Model(Rate rate, std::function<Duration()> delay = [] { return Duration(milliseconds(10)); })
      : rate_(rate), delay_(std::move(delay)) {}

  void Start(const std::string& name) {
    Scheduler& scheduler = schedulers_[name];
    scheduler.next_round = now_ + milliseconds(static_cast<int64_t>(schedulers_.size() * 37));
    scheduler.share.SetRate(rate_, now_);
  }
  // Without a word.
  void Kill(const std::string& name) { schedulers_.erase(name); }
  void SetWork(const std::string& name, bool has_work) { schedulers_[name].has_work = has_work; }
  void SetRate(Rate rate) {
    rate_ = rate;
    for (auto& [name, scheduler] : schedulers_) scheduler.share.SetRate(rate, now_);
  }

  void Run(Duration time) {
    for (const SteadyInstant end = now_ + time; now_ < end; now_ += kStep) {
      for (auto& [name, scheduler] : schedulers_) {
        std::erase_if(scheduler.under_way, [&](SteadyInstant at) {
          if (now_ < at) return false;
          scheduler.share.Begun(now_);
          sent_.push_back(now_);
          return true;
        });
        if (now_ >= scheduler.next_round) Exchange(name, scheduler);
        if (!scheduler.has_work || scheduler.share.Available(1, now_) <= 0) {
          scheduler.waits = scheduler.has_work;
          continue;
        }
        scheduler.waits = true;
        scheduler.share.HandOut();
        scheduler.under_way.push_back(now_ + delay_());
      }
      if (now_ >= next_plan_) Plan();
    }
  }

  // The most within any interval of the rate.
  int64_t Most() const {
    size_t begin = 0, most = 0;
    for (size_t i = 0; i < sent_.size(); ++i) {
      while (sent_[begin] + rate_.per <= sent_[i]) ++begin;
      most = std::max(most, i - begin + 1);
    }
    return static_cast<int64_t>(most);
  }
  // Of the last `time`, as a part of what the rate would let go.
  double Used(Duration time) const {
    const auto count = std::count_if(sent_.begin(), sent_.end(), [&](SteadyInstant at) { return at >= now_ - time; });
    return static_cast<double>(count) * static_cast<double>(rate_.per.count()) / static_cast<double>(rate_.count * time.count());
  }
  // To those that live.
  int64_t Given() const {
    int64_t given = 0;
    for (const auto& [name, row] : table_) given += leases_.at(name) > now_ ? row.most : 0;
    return given;
  }

 private:
  struct Scheduler {
    RateShare share;
    SteadyInstant next_round{};
    bool has_work = false, waits = false;
    std::vector<SteadyInstant> under_way;  // When each begins.
  };

  void Exchange(const std::string& name, Scheduler& scheduler) {
    scheduler.next_round = now_ + kRound;
    ShareRow& row = table_[name];
    row.holder = name;
    row.used = scheduler.share.Used(now_);
    row.wants = scheduler.waits;
    if (const auto lowered = scheduler.share.Lower(now_)) row.most = std::min(row.most, *lowered);
    leases_[name] = now_ + kLease;
    scheduler.share.Give(row.most, row.target, row.of, now_ + kLease - kMargin, now_);
  }
  void Plan() {
    next_plan_ = now_ + kRound;
    std::vector<ShareRow> rows;
    for (const auto& [name, row] : table_) {
      rows.push_back(row);
      if (leases_[name] <= now_) rows.back().lapsed = std::chrono::duration_cast<Duration>(now_ - leases_[name]);
    }
    PlanShares({.rate = rate_}, now_.time_since_epoch() / seconds(10), rows);
    table_.clear();
    for (ShareRow& row : rows) {
      row.lapsed.reset();
      table_[row.holder] = row;
    }
  }

  Rate rate_;
  const std::function<Duration()> delay_;
  SteadyInstant now_ = SteadyInstant(seconds(1000)), next_plan_ = SteadyInstant(seconds(1000));
  std::map<std::string, Scheduler> schedulers_;
  std::map<std::string, ShareRow> table_;
  std::map<std::string, SteadyInstant> leases_;
  std::vector<SteadyInstant> sent_;
};

TEST(RateShareTest, OneAloneHasAllOfIt) {
  for (const Rate rate : {Rate{100, seconds(1)}, Rate{7, seconds(1)}, Rate{150, seconds(60)}}) {
    Model model(rate);
    model.Start("a");
    model.SetWork("a", true);
    model.Run(seconds(3) + rate.per * 3);
    EXPECT_LE(model.Most(), rate.count) << ToString(rate);
    EXPECT_GE(model.Used(rate.per * 2), 0.95) << ToString(rate);
  }
}

TEST(RateShareTest, TwoThatAreBusyUseItWholeTogether) {
  for (const Rate rate : {Rate{100, seconds(1)}, Rate{20, seconds(1)}, Rate{120, seconds(60)}}) {
    Model model(rate);
    for (const char* name : {"a", "b"}) {
      model.Start(name);
      model.SetWork(name, true);
    }
    model.Run(seconds(4) + rate.per * 3);
    EXPECT_LE(model.Most(), rate.count) << ToString(rate);
    EXPECT_GE(model.Used(rate.per * 2), 0.95) << ToString(rate);
  }
}

TEST(RateShareTest, WhatOneDoesNotUseTheOtherDoes) {
  for (const Rate rate : {Rate{100, seconds(1)}, Rate{20, seconds(1)}, Rate{200, seconds(60)}, Rate{600, std::chrono::hours(1)}}) {
    Model model(rate);
    for (const char* name : {"a", "b"}) model.Start(name);
    for (const char* name : {"a", "b", "a"}) {
      model.SetWork("a", name[0] == 'a');
      model.SetWork("b", name[0] == 'b');
      // The share goes over as what was sent of it leaves the window.
      model.Run(seconds(6) + rate.per);
      const Duration looked_at = std::max<Duration>(rate.per / 4, seconds(2));
      model.Run(looked_at);
      EXPECT_GE(model.Used(looked_at), 0.95) << ToString(rate) << " by " << name;
      EXPECT_LE(model.Most(), rate.count) << ToString(rate);
    }
  }
}

TEST(RateShareTest, ADeadSchedulersShareLapsesAndIsNeverDoubled) {
  for (const Rate rate : {Rate{100, seconds(1)}, Rate{300, seconds(60)}}) {
    Model model(rate);
    model.Start("a");
    model.SetWork("a", true);
    model.Run(seconds(3) + rate.per);
    model.Kill("a");
    model.Start("b");
    model.SetWork("b", true);
    model.Run(seconds(14) + rate.per);
    EXPECT_LE(model.Most(), rate.count + 1) << ToString(rate);
    model.Run(rate.per * 2);
    EXPECT_GE(model.Used(rate.per), 0.95) << ToString(rate);
  }
}

TEST(RateShareTest, AnEditGrantsNoBurst) {
  Model model({100, seconds(1)});
  for (const char* name : {"a", "b"}) {
    model.Start(name);
    model.SetWork(name, true);
  }
  model.Run(seconds(6));
  model.SetRate({10, seconds(1)});
  model.Run(seconds(1));
  model.Run(seconds(5));
  EXPECT_LE(model.Used(seconds(5)), 1.01) << "at once, before anything was planned anew";
  model.SetRate({100, seconds(1)});
  model.Run(seconds(6));
  EXPECT_LE(model.Most(), 100);
  EXPECT_GE(model.Used(seconds(2)), 0.95);
}

TEST(RateShareTest, WhatIsLongUnderWayComesInNoBurst) {
  std::mt19937 random(1);
  bool is_stuck = false;
  Model model({50, seconds(1)}, [&]() -> Duration { return is_stuck ? seconds(5) : milliseconds(static_cast<int64_t>(random() % 200)); });
  model.Start("a");
  model.SetWork("a", true);
  model.Run(seconds(4));
  is_stuck = true;
  model.Run(seconds(2));
  is_stuck = false;
  model.Run(seconds(8));
  EXPECT_LE(model.Most(), 50);
}

TEST(RateShareTest, SaturatedItIsUsedToNinetyNineOfAHundred) {
  for (const Rate rate : {Rate{50, seconds(5)}, Rate{150, seconds(60)}}) {
    Model model(rate, [] { return Duration(milliseconds(2)); });
    for (const char* name : {"a", "b"}) {
      model.Start(name);
      model.SetWork(name, true);
    }
    model.Run(seconds(6) + rate.per * 2);
    model.Run(rate.per * 4);
    EXPECT_LE(model.Most(), rate.count) << ToString(rate);
    EXPECT_GE(model.Used(rate.per * 4), 0.99) << ToString(rate);
  }
}

TEST(RateShareTest, WhereThereIsLessThanOneForEachTheyTakeTurns) {
  std::map<std::string, Duration> had;
  std::vector<ShareRow> rows;
  for (const char* name : {"a", "b", "c"}) rows.push_back({.holder = name, .wants = true});
  const ShareTerms terms{.rate = {2, seconds(60)}, .is_even = false};
  for (int64_t turn = 0; turn < 9; ++turn) {
    // What is above the target is given back at once.
    for (int round = 0; round < 2; ++round) {
      PlanShares(terms, turn, rows);
      for (ShareRow& row : rows) row.most = std::min(row.most, row.target);
    }
    PlanShares(terms, turn, rows);
    int64_t sum = 0;
    for (const ShareRow& row : rows) {
      sum += row.most;
      had[row.holder] += seconds(row.most);
    }
    EXPECT_EQ(sum, 2);
  }
  for (const auto& [name, time] : had) EXPECT_EQ(time, seconds(6)) << name;
}

TEST(RateShareTest, WhatMayGoOnUnheardOfIsKeptBackWhole) {
  const ShareTerms terms{.rate = {10, seconds(60)}, .is_even = false};
  std::vector<ShareRow> rows = {{.holder = "dead", .most = 6, .of = 10, .lapsed = seconds(59)}, {.holder = "alive", .most = 4, .of = 10, .wants = true}};
  PlanShares(terms, 0, rows);
  EXPECT_EQ(rows[1].most, 4);
  rows[0].lapsed = seconds(60);
  PlanShares(terms, 0, rows);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].most, 10);
}

TEST(RateShareTest, WhatIsOpenBeyondWhatWasGivenIsNobodyElses) {
  const ShareTerms terms{.rate = {10, seconds(60)}, .is_even = false};
  std::vector<ShareRow> rows = {{.holder = "a", .used = 7, .wants = true}, {.holder = "b", .wants = true}};
  PlanShares(terms, 0, rows);
  EXPECT_LE(rows[1].most, 3) << "the limit is new: connections were open before";
}

TEST(RateShareTest, NeverMoreWhateverHappens) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int most) { return static_cast<int>(random() % static_cast<uint32_t>(most)); };
    const Rate rate{1 + pick(seed % 2 == 0 ? 20 : 200), seconds(seed % 3 == 0 ? 30 : 1)};
    Model model(rate, [&]() -> Duration { return milliseconds(5 * pick(seed % 4 == 0 ? 80 : 4)); });
    std::vector<std::string> alive;
    int born = 0;
    for (int event = 0; event < 60; ++event) {
      if (alive.empty() || (alive.size() < 3 && pick(6) == 0)) {
        alive.push_back(Cat("s", born++));
        model.Start(alive.back());
      }
      if (alive.size() > 1 && pick(10) == 0) {
        const auto dies = alive.begin() + pick(static_cast<int>(alive.size()));
        model.Kill(*dies);
        alive.erase(dies);
      }
      for (const std::string& name : alive) {
        if (pick(2) == 0) model.SetWork(name, pick(3) != 0);
      }
      model.Run(milliseconds(100 + pick(4000)));
      ASSERT_LE(model.Given(), rate.count) << "seed " << seed;
    }
    EXPECT_LE(model.Most(), rate.count + 1) << "seed " << seed << ", " << ToString(rate);
  }
}

}  // namespace
}  // namespace sluice

// Two schedulers over one ledger for sixty days of an injected clock: caps hold, whatever crashes, is edited or comes late.
#include "scheduler/allowances.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <ostream>
#include <random>

#include "base/text.h"
#include "policy/warmup_pace.h"

namespace sluice::scheduler {
namespace {

constexpr Duration kDayLength = std::chrono::hours(24);
constexpr int64_t kFirstDay = 20'000;
const std::vector<std::string> kProviders = {"google", "m365", "other"};

struct RowKey {
  int64_t day = 0;
  std::string address, provider;
  friend auto operator<=>(const RowKey&, const RowKey&) = default;
  friend std::ostream& operator<<(std::ostream& out, const RowKey& key) {
    return out << "day " << key.day << ", " << key.address << " at " << key.provider;
  }
};

// The ledger's statement, in memory.
class FakeLedger {
 public:
  static storage::LedgerDay DayAt(Instant now) {
    const int64_t day = ToMicros(now) / kDayLength.count();
    return {.day = day, .starts_at = FromMicros(day * kDayLength.count()), .ends_at = FromMicros((day + 1) * kDayLength.count()), .now = now};
  }
  PacedCap& Row(int64_t day, const std::string& address, const std::string& provider) { return rows_[{day, address, provider}]; }
  void Open(const storage::LedgerDay& day, const std::string& address, const std::string& provider, int64_t cap) {
    rows_[{day.day, address, provider}] = {.cap = cap, .used = 0, .opens_at = day.starts_at, .closes_at = day.starts_at + kDayLength / 10 * 9};
  }
  storage::GrantAnswer Draw(const std::vector<storage::GrantRequest>& requests, Instant now) {
    storage::GrantAnswer answer{.day = DayAt(now), .grants = {}};
    for (const auto& request : requests) {
      PacedCap& row = Row(answer.day.day, request.address, request.provider);
      PacedCap& total = Row(answer.day.day, request.address, "*");
      const int64_t room = std::min(PaceAllows(row, now) - row.used, PaceAllows(total, now) - total.used);
      const int64_t count = std::clamp<int64_t>(room, 0, request.wanted);
      row.used += count;
      total.used += count;
      const auto pace = [](const PacedCap& r) {
        return storage::LedgerPace{.cap = r.cap, .used = r.used, .opens_at = r.opens_at, .closes_at = r.closes_at};
      };
      answer.grants.push_back({.count = count, .is_open = true, .provider = pace(row), .total = pace(total)});
    }
    return answer;
  }
  void Record(const std::vector<storage::LedgerCounts>& counts) {
    for (const auto& c : counts) {
      Row(c.day, c.address, c.provider).used -= c.returned;
      Row(c.day, c.address, "*").used -= c.returned;
    }
  }

 private:
  std::map<RowKey, PacedCap> rows_;
};

const std::vector<std::string> kAddresses = {"192.0.2.1", "192.0.2.2"};

struct Scheduler {
  std::unique_ptr<Allowances> allowances = std::make_unique<Allowances>();
  int64_t lowered = 0;
  struct {
    int64_t lowered = -1, day = 0;
  } followed = {};
  // Granted here by day, address and provider, and neither spent nor returned yet.
  std::map<RowKey, int64_t> outstanding = {};

  void Follow(const storage::LedgerDay& day) {
    std::vector<WarmupColumn> columns;
    for (const std::string& provider : kProviders) columns.push_back({.provider = provider, .needs_grants = true, .lowered = lowered});
    std::vector<WarmingSource> sources;
    for (uint16_t i = 0; i < kAddresses.size(); ++i) sources.push_back({.source = i, .address = kAddresses[i], .columns = columns});
    allowances->Set(sources, day);
    followed = {lowered, day.day};
  }
};

struct Tally {
  std::map<RowKey, int64_t> sent;  // RCPT commands by the day they went out on.
  std::map<RowKey, int64_t> caps;   // Most that may be sent: what an edit came too late for counts.
  std::map<RowKey, int64_t> goals;  // What the day allows at its end.
  std::map<RowKey, int64_t> lost;  // Outstanding where somebody crashed, or where a commit was in doubt.
};

// Two schedulers over one ledger with two sources and three providers, always with mail. `trouble`: crashes, lowered caps, draws in
// doubt and reports without an RCPT, at random.
class Days {
 public:
  Days(bool trouble, uint64_t seed) : trouble_(trouble), random_(seed) {}

  Tally Run(int days) {
    for (int d = 0; d < days; ++d) {
      const storage::LedgerDay day = ledger_.DayAt(now_);
      OpenDay(day);
      while (now_ < day.ends_at) {
        for (Scheduler& s : schedulers_) Turn(s);
        if (trouble_ && OneIn(400)) Edit(day.day);
        now_ += std::chrono::minutes(2);
      }
    }
    return std::move(run_);
  }

 private:
  bool OneIn(uint64_t n) { return random_() % n == 0; }

  void OpenDay(const storage::LedgerDay& day) {
    for (const std::string& address : kAddresses) {
      int64_t sum = 0;
      for (const std::string& provider : kProviders) {
        const int64_t cap = 20 + static_cast<int64_t>(random_() % 400);
        run_.caps[{day.day, address, provider}] = run_.goals[{day.day, address, provider}] = cap;
        ledger_.Open(day, address, provider, cap);
        sum += cap;
      }
      run_.caps[{day.day, address, "*"}] = run_.goals[{day.day, address, "*"}] = sum - 10;
      ledger_.Open(day, address, "*", sum - 10);
    }
  }

  void Turn(Scheduler& s) {
    if (trouble_ && OneIn(120)) {
      for (const auto& [key, count] : s.outstanding) run_.lost[key] += count;
      s = {.lowered = s.lowered};
    }
    if (s.lowered != s.followed.lowered || s.followed.day != ledger_.DayAt(now_).day) s.Follow(ledger_.DayAt(now_));
    for (uint16_t source = 0; source < kAddresses.size(); ++source) {
      for (uint32_t provider = 0; provider < kProviders.size(); ++provider) Send(s, source, provider);
    }
    const auto requests = s.allowances->TakeRequests(now_, [](uint16_t, uint32_t) { return true; });
    if (!requests.empty()) Draw(s, requests);
    const auto counts = s.allowances->TakeCounts(now_, false);
    for (const auto& c : counts) s.outstanding[{c.day, c.address, c.provider}] -= c.returned;
    ledger_.Record(counts);
  }

  void Send(Scheduler& s, uint16_t source, uint32_t provider) {
    for (int tries = 0; tries < 3 && s.allowances->Look(source, provider, kProviders[provider], now_) == Allowance::kReady; ++tries) {
      const Grant grant = s.allowances->Take(source, provider, now_);
      ASSERT_LT(now_, grant.not_after);
      ASSERT_EQ(grant.day, ledger_.DayAt(now_).day);
      const bool is_spent = !trouble_ || !OneIn(10);
      s.allowances->Conclude(grant.account, grant.day, {.attempted = is_spent ? 1 : 0}, now_);
      if (!is_spent) continue;
      const RowKey key{grant.day, kAddresses[source], kProviders[provider]};
      --s.outstanding[key];
      ++run_.sent[key];
      ++run_.sent[{grant.day, kAddresses[source], "*"}];
    }
  }

  void Draw(Scheduler& s, const std::vector<storage::GrantRequest>& requests) {
    const storage::GrantAnswer answer = ledger_.Draw(requests, now_);
    const bool in_doubt = trouble_ && OneIn(100);
    for (size_t i = 0; i < requests.size(); ++i) {
      const RowKey key{answer.day.day, requests[i].address, requests[i].provider};
      (in_doubt ? run_.lost[key] : s.outstanding[key]) += answer.grants[i].count;
    }
    if (in_doubt) {
      s.allowances->OnDrawFailed(now_);
    } else {
      s.allowances->OnDrawn(answer, now_);
    }
  }

  // Of today: what is granted stays granted.
  void Edit(int64_t day) {
    const std::string& address = kAddresses[random_() % kAddresses.size()];
    const std::string& provider = kProviders[random_() % kProviders.size()];
    PacedCap& row = ledger_.Row(day, address, provider);
    row.cap = std::max<int64_t>(0, *row.cap - 30);
    run_.caps[{day, address, provider}] = std::max(*row.cap, row.used);
    run_.goals[{day, address, provider}] = *row.cap;
    for (Scheduler& s : schedulers_) ++s.lowered;
  }

  const bool trouble_;
  std::mt19937_64 random_;
  FakeLedger ledger_;
  Scheduler schedulers_[2];
  Instant now_ = FromMicros(kFirstDay * kDayLength.count());
  Tally run_;
};

TEST(AllowancesTest, OverSixtyDaysOfTroubleNoDayExceedsItsCapsAndOnlyWhatWasOutstandingIsLost) {
  for (const uint64_t seed : {7, 8}) {
    const Tally run = Days(true, seed).Run(60);
    for (const auto& [key, count] : run.sent) ASSERT_LE(count, run.caps.at(key)) << key;
    for (const std::string& address : kAddresses) {
      for (int64_t day = kFirstDay; day < kFirstDay + 60; ++day) {
        // The total may be what stopped a provider: then it is used up itself.
        const auto unused = [&](const std::string& provider) {
          const RowKey key{day, address, provider};
          const auto sent = run.sent.find(key);
          return run.goals.at(key) - (sent == run.sent.end() ? 0 : sent->second);
        };
        int64_t lost = 0, short_by = 0;
        for (const std::string& provider : kProviders) {
          const auto found = run.lost.find({day, address, provider});
          const int64_t mine = found == run.lost.end() ? 0 : found->second;
          lost += mine;
          short_by += std::max<int64_t>(0, unused(provider) - mine);
        }
        EXPECT_LE(std::min(short_by, std::max<int64_t>(0, unused("*") - lost)), 0) << "seed " << seed << " day " << day << " " << address;
      }
    }
  }
}

TEST(AllowancesTest, WithoutTroubleTheDaysAreUsedUp) {
  const Tally run = Days(false, 1).Run(60);
  for (const std::string& address : kAddresses) {
    for (int64_t day = kFirstDay; day < kFirstDay + 60; ++day) {
      const RowKey key{day, address, "*"};
      EXPECT_GE(static_cast<double>(run.sent.at(key)), 0.99 * static_cast<double>(run.caps.at(key))) << day;
      EXPECT_LE(run.sent.at(key), run.caps.at(key));
    }
  }
}

struct OneAccount : ::testing::Test {
  OneAccount() {
    for (const char* p : {"google", "m365", "other", "*"}) ledger.Open(day, kAddresses[0], p, 100);
    s.Follow(day);
    EXPECT_EQ(s.allowances->Look(0, 0, "google", now), Allowance::kAsking);
    s.allowances->Want(0, 0, now);
    requests = s.allowances->TakeRequests(now, [](uint16_t, uint32_t) { return false; });
    EXPECT_EQ(requests.size(), 1u) << "for whom somebody waits, and nobody else";
  }
  FakeLedger ledger;
  const Instant now = FromMicros(kFirstDay * kDayLength.count() + kDayLength.count() / 2);
  const storage::LedgerDay day = ledger.DayAt(now);
  Scheduler s;
  std::vector<storage::GrantRequest> requests;
};

TEST_F(OneAccount, GrantsOfAReplacedAccountGoBackWhenTheyCome) {
  s.allowances->Set({{.source = 0, .address = "192.0.2.9", .columns = {{.provider = "other"}}}}, day);
  EXPECT_FALSE(s.allowances->OnDrawn(ledger.Draw(requests, now), now));
  const auto counts = s.allowances->TakeCounts(now, true);
  ASSERT_EQ(counts.size(), 1u);
  EXPECT_EQ(counts[0].address, "192.0.2.1");
  EXPECT_EQ(counts[0].returned, 1);
}

TEST_F(OneAccount, AGrantThatNobodyTakesIsBackInTheLedgerWithinTwoSeconds) {
  EXPECT_TRUE(s.allowances->OnDrawn(ledger.Draw(requests, now), now));
  int64_t returned = 0;
  for (Instant at = now; at < now + std::chrono::seconds(2); at += std::chrono::milliseconds(50)) {
    EXPECT_TRUE(s.allowances->TakeRequests(at, [](uint16_t, uint32_t) { return false; }).empty()) << "nobody asks for another";
    for (const auto& c : s.allowances->TakeCounts(at, false)) returned += c.returned;
  }
  EXPECT_EQ(returned, 1);
}

// Two addresses that always have mail to google and m365, at a cap of a million each, for `seconds` in turns of a millisecond.
struct Busy {
  explicit Busy(int64_t used) {
    for (const std::string& address : kAddresses) {
      for (const char* provider : {"google", "m365", "other"}) {
        ledger.Open(day, address, provider, 1'000'000);
        ledger.Row(day.day, address, provider).used = used;
      }
      ledger.Open(day, address, "*", 3'000'000);
      ledger.Row(day.day, address, "*").used = 2 * used;
    }
    s.Follow(day);
  }
  // `a_turn` messages of each pair at every `every`th turn; only those that found a grant leave.
  void Send(int seconds, int every, int a_turn) {
    for (int turn = 0; turn < seconds * 1'000; ++turn, now += std::chrono::milliseconds(1)) {
      for (int i = 0; turn % every == 0 && i < 4 * a_turn; ++i) Send(static_cast<uint16_t>(i % 2), static_cast<uint32_t>(i / 2 % 2));
      const auto requests = s.allowances->TakeRequests(now, [](uint16_t, uint32_t provider) { return provider < 2; });
      draws += requests.empty() ? 0 : 1;
      if (!requests.empty()) s.allowances->OnDrawn(ledger.Draw(requests, now), now);
      for (const auto& c : s.allowances->TakeCounts(now, false)) returned += c.returned;
    }
  }
  void Send(uint16_t source, uint32_t provider) {
    const Allowance allowance = s.allowances->Look(source, provider, kProviders[provider], now);
    if (allowance == Allowance::kAsking) s.allowances->Want(source, provider, now);
    if (allowance != Allowance::kReady) return;
    const Grant grant = s.allowances->Take(source, provider, now);
    s.allowances->Conclude(grant.account, grant.day, {.attempted = 1}, now);
    ++sent;
  }
  FakeLedger ledger;
  Instant now = FromMicros(kFirstDay * kDayLength.count() + kDayLength.count() / 2);
  const storage::LedgerDay day = ledger.DayAt(now);
  Scheduler s;
  int draws = 0, sent = 0;
  int64_t returned = 0;
};

TEST(AllowancesTest, WhatThePaceHoldsBackIsDrawnTogether) {
  // All that the pace allows by noon is gone: from now on each pair may send 13 a second.
  Busy busy(PaceAllows({.cap = 1'000'000, .opens_at = FromMicros(kFirstDay * kDayLength.count()),
                        .closes_at = FromMicros(kFirstDay * kDayLength.count() + kDayLength.count() / 10 * 9)},
                       FromMicros(kFirstDay * kDayLength.count() + kDayLength.count() / 2)));
  busy.Send(20, 1, 1);
  EXPECT_LE(busy.draws, 2 * 20 + 5);
  EXPECT_GE(busy.sent, 4 * 20 * 12) << "and nothing of what the pace allows is missed";
}

TEST(AllowancesTest, WhatIsDrawnAheadIsDrawnTogetherAndNobodyWaitsForIt) {
  Busy busy(0);
  busy.Send(1, 1, 1);  // Chunks have their size.
  const int draws = std::exchange(busy.draws, 0), before = busy.sent;
  EXPECT_LE(draws, 20);
  busy.Send(20, 1, 1);
  EXPECT_EQ(busy.sent - before, 4 * 20'000) << "each found its grant at once";
  EXPECT_LE(busy.draws, 20 * 4 * 4);
  busy.draws = 0;
  busy.Send(60, 100, 1);
  EXPECT_LE(busy.draws, 20) << "ten a second from each pair, and no statement for each";
}

TEST(AllowancesTest, WhereTheDayHasPlentyWhatIsHeldStaysForHalfAMinute) {
  Busy busy(0);
  busy.Send(1, 1, 1);
  busy.now += std::chrono::seconds(5);
  EXPECT_EQ(busy.s.allowances->Look(0, 0, "google", busy.now), Allowance::kReady);
  for (int i = 0; i < 700; ++i, busy.now += std::chrono::milliseconds(100)) {
    const auto requests = busy.s.allowances->TakeRequests(busy.now, [](uint16_t, uint32_t) { return false; });
    if (!requests.empty()) busy.s.allowances->OnDrawn(busy.ledger.Draw(requests, busy.now), busy.now);
    for (const auto& c : busy.s.allowances->TakeCounts(busy.now, false)) busy.returned += c.returned;
  }
  EXPECT_GT(busy.returned, 4 * 100);
  EXPECT_NE(busy.s.allowances->Look(0, 0, "google", busy.now), Allowance::kReady);
}

TEST_F(OneAccount, AccountsThatNoSourceNeedsAreForgottenUnlessSomethingIsInFlight) {
  s.allowances->OnDrawn(ledger.Draw(requests, now), now);
  const Grant grant = s.allowances->Take(0, 0, now);
  for (int i = 0; i < 1'000; ++i) {
    s.allowances->Set({{.source = 0, .address = Cat("198.51.100.", i), .columns = {{.provider = "google"}, {.provider = "other"}}}}, day);
    s.allowances->ForgetGone({grant.account});
    // What it has to tell is told, though nobody will hear of it again.
    s.allowances->Conclude(s.allowances->AccountOf(0, 0, "google"), day.day, {.attempted = 1}, now);
  }
  EXPECT_LE(s.allowances->account_count(), 10u);
  EXPECT_TRUE(s.allowances->HasGone());
  s.allowances->Conclude(grant.account, grant.day, {.attempted = 1, .accepted = 1}, now);
  s.allowances->ForgetGone({});
  EXPECT_FALSE(s.allowances->HasGone());
  int64_t attempted = 0, accepted = 0;
  for (const auto& c : s.allowances->TakeCounts(now, true)) {
    attempted += c.attempted;
    accepted += c.accepted;
    EXPECT_EQ(c.accepted > 0, c.address == kAddresses[0]) << "on the account that the grant was drawn for";
  }
  EXPECT_EQ(attempted, 1'001);
  EXPECT_EQ(accepted, 1);
}

TEST_F(OneAccount, WhatIsAskedForIsNotForgottenBeforeTheAnswer) {
  s.allowances->Set({{.source = 1, .address = kAddresses[1], .columns = {{.provider = "other"}}}}, day);
  s.allowances->ForgetGone({});
  EXPECT_TRUE(s.allowances->HasGone());
  EXPECT_FALSE(s.allowances->OnDrawn(ledger.Draw(requests, now), now));
  s.allowances->ForgetGone({});
  EXPECT_FALSE(s.allowances->HasGone());
  const auto counts = s.allowances->TakeCounts(now, true);
  ASSERT_EQ(counts.size(), 1u);
  EXPECT_EQ(counts[0].address, kAddresses[0]);
  EXPECT_EQ(counts[0].returned, 1);
}

TEST_F(OneAccount, AskingWhereAProviderCountsNeverDecidesIt) {
  EXPECT_EQ(s.allowances->KnownAccountOf(1, 0), kNoAccount) << "nobody has looked yet";
  EXPECT_EQ(s.allowances->Look(1, 0, "google", now), Allowance::kAsking);
  EXPECT_EQ(s.allowances->column(s.allowances->KnownAccountOf(1, 0)), "google");
}

TEST_F(OneAccount, WhatSourcesAreAskedForMeanwhileChangesNothingForThoseThatStay) {
  s.allowances->OnDrawn(ledger.Draw(requests, now), now);
  EXPECT_EQ(s.allowances->Look(0, 0, "google", now), Allowance::kReady);
  s.allowances->Set({{.source = 1, .address = kAddresses[1], .columns = {{.provider = "other"}}},
                     {.source = 0, .address = kAddresses[0], .columns = {{.provider = "google"}, {.provider = "other"}}}}, day);
  EXPECT_EQ(s.allowances->Look(0, 0, "google", now), Allowance::kReady) << "it keeps its grants";
  EXPECT_EQ(s.allowances->Look(2, 0, "google", now), Allowance::kFree);
}

}  // namespace
}  // namespace sluice::scheduler

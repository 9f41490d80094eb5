// Two schedulers over one ledger for sixty days of an injected clock: caps hold, whatever crashes, is edited or comes late.
#include "scheduler/allowances.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>

#include "policy/warmup_pace.h"

namespace sluice::scheduler {
namespace {

constexpr Duration kDayLength = std::chrono::hours(24);
constexpr int64_t kFirstDay = 20'000;
const std::vector<std::string> kProviders = {"google", "m365", "other"};

// The ledger's statement, in memory.
class FakeLedger {
 public:
  storage::LedgerDay DayAt(Instant now) const {
    const int64_t day = ToMicros(now) / kDayLength.count();
    return {.day = day, .starts_at = FromMicros(day * kDayLength.count()), .ends_at = FromMicros((day + 1) * kDayLength.count()), .now = now};
  }
  PacedCap& Row(int64_t day, const std::string& provider) { return rows_[{day, provider}]; }
  void Open(const storage::LedgerDay& day, const std::string& provider, int64_t cap) {
    rows_[{day.day, provider}] = {.cap = cap, .used = 0, .opens_at = day.starts_at, .closes_at = day.starts_at + kDayLength / 20 * 19};
  }
  storage::GrantAnswer Draw(const std::vector<storage::GrantRequest>& requests, Instant now) {
    storage::GrantAnswer answer{.day = DayAt(now), .grants = {}};
    for (const auto& request : requests) {
      PacedCap& row = Row(answer.day.day, request.provider);
      PacedCap& total = Row(answer.day.day, "*");
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
      Row(c.day, c.provider).used -= c.returned;
      Row(c.day, "*").used -= c.returned;
    }
  }

 private:
  std::map<std::pair<int64_t, std::string>, PacedCap> rows_;
};

struct Scheduler {
  std::unique_ptr<Allowances> allowances = std::make_unique<Allowances>();
  int64_t lowered = 0;
  void Follow(const storage::LedgerDay& day) {
    std::vector<WarmupColumn> columns;
    for (const std::string& provider : kProviders) columns.push_back({.provider = provider, .needs_grants = true, .lowered = lowered});
    allowances->Set({{.source = 0, .address = "192.0.2.1", .columns = columns}}, day);
  }
  void Crash() { allowances = std::make_unique<Allowances>(); }
};

struct Tally {
  std::map<std::pair<int64_t, std::string>, int64_t> sent;  // RCPT commands by the day they went out on.
  int64_t capped = 0, used = 0;
};

// `trouble`: crashes, lowered caps and reports without an RCPT, at random.
void RunDays(bool trouble, int days, Tally& run) {
  FakeLedger ledger;
  Scheduler schedulers[2];
  std::mt19937_64 random(trouble ? 7 : 8);
  const auto one_in = [&](uint64_t n) { return random() % n == 0; };
  Instant now = FromMicros(kFirstDay * kDayLength.count());
  std::map<std::pair<int64_t, std::string>, int64_t> caps;
  for (int d = 0; d < days; ++d) {
    const storage::LedgerDay day = ledger.DayAt(now);
    for (const std::string& p : kProviders) {
      caps[{day.day, p}] = 20 + static_cast<int64_t>(random() % 400);
      ledger.Open(day, p, caps[{day.day, p}]);
    }
    caps[{day.day, "*"}] = caps[{day.day, "google"}] + caps[{day.day, "m365"}] + 10;
    ledger.Open(day, "*", caps[{day.day, "*"}]);
    while (now < day.ends_at) {
      for (Scheduler& s : schedulers) {
        if (trouble && one_in(500)) s.Crash();
        s.Follow(ledger.DayAt(now));
        for (uint32_t p = 0; p < kProviders.size(); ++p) {
          for (int tries = 0; tries < 3 && s.allowances->Look(0, p, kProviders[p], now) == Allowance::kReady; ++tries) {
            const Grant grant = s.allowances->Take(0, p, now);
            ASSERT_LT(now, grant.not_after);
            ASSERT_EQ(grant.day, ledger.DayAt(now).day);
            storage::LedgerCounts counts;
            if (trouble && one_in(10)) {
              s.allowances->Conclude(0, p, grant.day, counts, now);
              continue;
            }
            ++run.sent[{ledger.DayAt(now).day, kProviders[p]}];
            ++run.sent[{ledger.DayAt(now).day, "*"}];
            counts.attempted = 1;
            s.allowances->Conclude(0, p, grant.day, counts, now);
          }
        }
        const auto requests = s.allowances->TakeRequests(now);
        if (!requests.empty()) {
          const storage::GrantAnswer answer = ledger.Draw(requests, now);
          if (trouble && one_in(100)) {
            s.allowances->OnDrawFailed(now);  // The commit was in doubt: spent.
          } else {
            s.allowances->OnDrawn(answer, now);
          }
        }
        ledger.Record(s.allowances->TakeCounts(now, false));
      }
      if (trouble && one_in(2'000)) {
        const std::string p = kProviders[random() % kProviders.size()];
        PacedCap& row = ledger.Row(ledger.DayAt(now).day, p);
        row.cap = std::max<int64_t>(0, *row.cap - 30);
        caps[{day.day, p}] = std::max(*row.cap, row.used);
        for (Scheduler& s : schedulers) ++s.lowered;
      }
      now += std::chrono::seconds(20);
    }
  }
  for (const auto& [key, count] : run.sent) {
    ASSERT_LE(count, caps.at(key)) << key.first << " " << key.second;
  }
  for (const auto& [key, cap] : caps) {
    if (key.second != "*") continue;
    run.capped += cap;
    run.used += run.sent[key];
  }
}

TEST(AllowancesTest, OverSixtyDaysOfTroubleNoDayExceedsItsCaps) {
  Tally run;
  RunDays(true, 60, run);
  EXPECT_GT(run.used, run.capped / 2);
}

TEST(AllowancesTest, WithoutTroubleTheDaysAreUsedUp) {
  Tally run;
  RunDays(false, 60, run);
  EXPECT_GE(static_cast<double>(run.used), 0.99 * static_cast<double>(run.capped));
  EXPECT_LE(run.used, run.capped);
}

TEST(AllowancesTest, GrantsOfAReplacedAccountGoBackWhenTheyCome) {
  FakeLedger ledger;
  const Instant now = FromMicros(kFirstDay * kDayLength.count() + kDayLength.count() / 2);
  const storage::LedgerDay day = ledger.DayAt(now);
  for (const char* p : {"google", "m365", "other", "*"}) ledger.Open(day, p, 100);
  Scheduler s;
  s.Follow(day);
  EXPECT_EQ(s.allowances->Look(0, 0, "google", now), Allowance::kAsking);
  const auto requests = s.allowances->TakeRequests(now);
  ASSERT_EQ(requests.size(), 1u);
  s.allowances->Set({{.source = 0, .address = "192.0.2.9", .columns = {{.provider = "other"}}}}, day);
  s.allowances->OnDrawn(ledger.Draw(requests, now), now);
  const auto counts = s.allowances->TakeCounts(now, true);
  ASSERT_EQ(counts.size(), 1u);
  EXPECT_EQ(counts[0].address, "192.0.2.1");
  EXPECT_EQ(counts[0].returned, 1);
}

}  // namespace
}  // namespace sluice::scheduler

// Warmup in the control loop. Every scheduler follows where each source stands (Follow); the owner of `control` also begins the
// days, judges them, reacts within seconds to what goes wrong, and keeps the history (Tick). Decisions are policy/warmup.h's.
//
// A day is opened five minutes after it begins (a 288th of a test's short day), so that the reports of the day before are in; until
// then nothing is granted. It closes its pace at 90 % of its length, so that what comes back late can still be used.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "mail/policy_document.h"
#include "scheduler/control/warmup_book.h"
#include "scheduler/control/warmup_metrics.h"
#include "storage/event_inbox.h"
#include "storage/warmup_ledger.h"
#include "storage/warmup_store.h"

namespace sluice::scheduler {

struct WarmupView {
  std::vector<WarmupBook::View> sources;
  storage::LedgerDay day;
};

// Not thread-safe: on the control loop's thread.
class WarmupKeeper {
 public:
  WarmupKeeper(storage::WarmupLedger& ledger, storage::WarmupStore& store, storage::EventInbox& events, WarmupMetrics& metrics,
               const Clock& clock, const Logger& log)
      : ledger_(ledger), store_(store), events_(events), metrics_(metrics), clock_(clock), log_(log) {}

  // Nothing to know when no source of the policy warms up.
  absl::StatusOr<WarmupView> Follow(const PolicyDocument& policy);
  // After Follow.
  absl::Status Tick(const PolicyDocument& policy);

 private:
  static constexpr Duration kLookEvery = std::chrono::seconds(2);
  static constexpr Duration kHearEvery = std::chrono::seconds(2);
  static constexpr int kDaysKnown = 45;
  static constexpr int kDaysKept = 400;

  struct Seen {
    WarmupCounts since;                                    // Counts at the last reaction, of `day`.
    std::vector<std::pair<Instant, int64_t>> blocked;      // (when, blocked so far), within the hour.
    int64_t day = 0;
  };
  absl::Status Reload();
  absl::Status Join(const PolicyDocument& policy);
  // What others say, as fresh as the judgement needs it.
  absl::Status Hear(Duration not_older);
  // Complaints of today, into the ledger.
  absl::Status CountComplaints();
  absl::Status JudgeDays();
  absl::Status OpenDay();
  storage::LedgerRow RowOfToday(const std::string& address, std::string_view provider) const;
  absl::Status JudgeMinutes();
  absl::Status React(storage::WarmupStateRow& row, const storage::LedgerRow& today, const Judgement& judgement);
  // Notes a decision on the row; the change with its history.
  storage::WarmupChange Decide(storage::WarmupStateRow& row, const Judgement& judgement);
  absl::Status Write(const std::vector<storage::WarmupChange>& changes);
  void Publish();
  std::optional<int64_t> TotalCap(const std::string& address);

  storage::WarmupLedger& ledger_;
  storage::WarmupStore& store_;
  storage::EventInbox& events_;
  WarmupMetrics& metrics_;
  const Clock& clock_;
  const Logger& log_;
  WarmupBook book_;
  storage::LedgerDay day_;
  int64_t stamp_ = -1;
  int64_t ledger_day_ = -1;
  SteadyInstant looked_at_{}, heard_at_{}, counted_at_{};
  std::map<std::pair<std::string, std::string>, int64_t> complained_;  // Of today, as they are in the ledger or on their way.
  int64_t complained_day_ = -1;
  std::map<std::pair<std::string, std::string>, Seen> seen_;
};

}  // namespace sluice::scheduler

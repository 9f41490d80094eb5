// Orders and questions about warmup.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "policy/warmup.h"
#include "scheduler/admin/orders.h"
#include "storage/constraint_store.h"
#include "storage/event_inbox.h"
#include "storage/warmup_ledger.h"
#include "storage/warmup_store.h"

namespace sluice::scheduler {

struct WarmupOrder {
  enum class Kind : uint8_t { kHold, kResume, kSkip, kSetStage, kStart } kind = Kind::kHold;
  std::string source = {}, provider = {};  // Empty provider = all of the source.
  int stage = 0;                 // kSetStage.
  int64_t start_day = 0;         // kStart; days since 1970.
  std::string reason = {}, actor = {};
};

struct WarmupStanding {
  storage::WarmupStateRow row;
  std::optional<storage::LedgerRow> today;
  int stage_count = 0;
  std::optional<Instant> warm_at = {};  // When every day from now on advances.
  int64_t waiting = 0;             // Entries that wait for its allowance, of all schedulers.
  std::optional<Instant> next_grant_at = {};  // Not later than now: there is room.
  std::optional<Instant> waits_until = {};    // When the last of those has its grant, as the caps stand; none waits: none.
};

struct WarmupAnswer {
  std::vector<WarmupStanding> standings;
  std::string next_page_token;
  std::vector<std::string> not_acknowledged;
};

// Thread-safe.
class WarmupAdmin {
 public:
  WarmupAdmin(storage::WarmupLedger& ledger, storage::WarmupStore& store, storage::ConstraintStore& constraints,
              storage::EventInbox& events, LiveState& live, AuditTrail& audit)
      : ledger_(ledger), store_(store), constraints_(constraints), events_(events), live_(live), audit_(audit) {}

  // In order of (source, provider); empty source = all.
  absl::StatusOr<WarmupAnswer> Get(const std::string& source, Page page);
  // Returns when every scheduler acts on it, or names those that do not. To resume also lifts what refusals suspended there.
  absl::StatusOr<WarmupAnswer> Update(const WarmupOrder& order);
  // Sources without an allowance at `provider` now, and until about when.
  absl::StatusOr<std::map<std::string, std::string>> Lacking(std::string_view provider);
  struct Events {
    std::vector<storage::WarmupEventRow> events;
    std::string next_page_token;
  };
  absl::StatusOr<Events> History(const std::string& source, const std::string& provider, Page page);

 private:
  absl::StatusOr<WarmupAnswer> Apply(const WarmupOrder& order);
  // One row of the order's source; `lifts` = what refusals suspended there.
  absl::StatusOr<storage::WarmupChange> ApplyTo(storage::WarmupStateRow row, const WarmupOrder& order, const WarmupPlan& plan,
                                                const storage::LedgerDay& day, const std::vector<Constraint>& lifts);
  // Written, lifted and told; returns when it is acted on.
  absl::StatusOr<WarmupAnswer> CarryOut(const std::string& source, const std::vector<storage::WarmupChange>& changes,
                                        const std::vector<int64_t>& lifted);
  absl::StatusOr<std::vector<WarmupStanding>> Standings(const std::string& source);

  storage::WarmupLedger& ledger_;
  storage::WarmupStore& store_;
  storage::ConstraintStore& constraints_;
  storage::EventInbox& events_;
  LiveState& live_;
  AuditTrail& audit_;
};

}  // namespace sluice::scheduler

// Where each (address, provider) stands on its plan, why, and how it came there. Written by the owner of `control` and by people's
// orders; every change carries its history row in the same transaction. The caps of a day are in warmup_ledger.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

struct WarmupPlanRow {
  std::string name = {};
  int version = 0;
  std::string stages = {};  // policy/warmup_plan.h: StagesText
};

// Fields as in policy/warmup.h: WarmupState.
struct WarmupStateRow {
  std::string address = {}, provider = {}, source = {}, plan = {};
  int plan_version = 0;
  std::string phase = "cold";
  int stage = 1;
  bool held = false;
  std::optional<int64_t> start_day = {};
  std::optional<Instant> suspended_until = {};
  bool until_delisted = false;
  int suspensions = 0;
  Instant suspended_at{}, slowed_at{}, resumed_at{};
  int64_t judged_day = 0, active_day = 0, evidence_day = 0;
  Instant judged_at{};
  std::string decision = {}, why = {}, evidence = {};
  int64_t lowered = 0;   // Rises when owners must give up what they drew.
  int64_t revision = 0;  // 0 = not stored yet.
};

struct WarmupEventRow {
  int64_t id = 0;
  Instant at{};
  int64_t day = 0;
  std::string source = {}, address = {}, provider = {}, decision = {}, why = {}, evidence = {};
  int from_stage = 0, to_stage = 0;
  std::string phase = {}, actor = {};
};

// What others make of a source: `kind` is `signal` (`word` a poller's), `health` (`word` a state), or `refusal` (`word` the reply rule
// that reacted).
struct WarmupOpinionRow {
  std::string source = {}, provider = {};  // Empty provider = everywhere.
  std::string kind = {}, word = {}, evidence = {};
  Instant since{};
};

// Entries that wait for an allowance.
struct WarmupWaitingRow {
  std::string address = {}, provider = {};  // A column of the plan.
  int64_t entries = 0;
  friend bool operator==(const WarmupWaitingRow&, const WarmupWaitingRow&) = default;
};

struct WarmupComplaintsRow {
  std::string source = {}, provider = {};
  int64_t count = 0;
  friend bool operator==(const WarmupComplaintsRow&, const WarmupComplaintsRow&) = default;
};

struct WarmupChange {
  WarmupStateRow state;                   // `revision` is that which was read; the stored one rises.
  std::optional<WarmupEventRow> event = {};
};

// Thread-safe.
class WarmupStore {
 public:
  virtual ~WarmupStore() = default;
  virtual absl::StatusOr<std::vector<WarmupStateRow>> States() = 0;
  // Changes whenever some state does; cheap enough to poll.
  virtual absl::StatusOr<int64_t> Stamp() = 0;
  // All or nothing. Aborted: a row was changed by somebody else meanwhile; read again.
  virtual absl::Status Write(const std::vector<WarmupChange>& changes) = 0;
  // The version of this plan: that of the same stages pinned before, else a new one of at least `version`.
  virtual absl::StatusOr<WarmupPlanRow> Pin(const WarmupPlanRow& plan, Instant now) = 0;
  virtual absl::StatusOr<std::vector<WarmupPlanRow>> Plans() = 0;
  // Of all sources, as they stand.
  virtual absl::StatusOr<std::vector<WarmupOpinionRow>> Opinions(Instant now) = 0;
  // Complaints that came back since `from`, by the source and provider of what they are about.
  virtual absl::StatusOr<std::vector<WarmupComplaintsRow>> Complaints(Instant from) = 0;
  // What waits at this scheduler, in place of what it said before. To be said again every few seconds.
  virtual absl::Status SetWaiting(const std::string& scheduler, const std::vector<WarmupWaitingRow>& rows) = 0;
  // Of all schedulers together.
  virtual absl::StatusOr<std::vector<WarmupWaitingRow>> Waiting() = 0;
  // Newest first; `before` = 0 begins at the end. Empty source or provider = all.
  virtual absl::StatusOr<std::vector<WarmupEventRow>> History(const std::string& source, const std::string& provider, int64_t before,
                                                              int limit) = 0;
};
std::unique_ptr<WarmupStore> MakeWarmupStore(ConnectionPool& pool);

}  // namespace sluice::storage

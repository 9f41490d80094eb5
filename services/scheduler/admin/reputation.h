// The reputation verbs: how sources, tenants and sending domains stand and why; and a person's word for it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mail/policy_document.h"
#include "policy/health.h"
#include "scheduler/admin/orders.h"
#include "storage/event_tally.h"
#include "storage/health_store.h"
#include "storage/policy_store.h"
#include "storage/signal_store.h"

namespace sluice::scheduler {

struct ReputationQuery {
  std::string source = {}, provider = {}, tenant = {}, sender_domain = {};
  bool with_replies = false;
};

struct OverrideOrder {
  HealthSubject subject = {};
  std::optional<HealthState> state = {};  // Absent = lifts it.
  std::optional<Instant> until = {};
  std::string reason = {}, author = {};
};

// Thread-safe.
class ReputationAdmin {
 public:
  using ParsePolicy = std::function<absl::StatusOr<PolicyDocument>(const std::string& json)>;
  // Makes it so, and answers the generation of constraints that says so (HealthKeeper::Override).
  using Override = std::function<absl::StatusOr<int64_t>(const HealthSubject&, std::optional<HealthOverride>)>;
  struct Parts {
    storage::HealthStore& health;
    storage::SignalStore& signals;
    storage::EventTally& tally;
    storage::PolicyStore& policies;
    ParsePolicy parse;
    Override override;
    LiveState& live;
    AuditTrail& audit;
    const Clock& clock;
    Duration patience = std::chrono::seconds(10);
  };
  explicit ReputationAdmin(Parts parts) : parts_(std::move(parts)) {}

  struct Row {
    storage::StoredHealth health;
    HealthState acts = HealthState::kHealthy;  // The override's, or the judged one.
    std::string remedy = {};
  };
  struct Listed {
    std::vector<Row> rows;
    std::vector<storage::StoredSignal> signals;
    std::vector<storage::TallyCount> replies;
    std::string next_page_token;
  };
  // INVALID_ARGUMENT: replies of everything at once.
  absl::StatusOr<Listed> List(const ReputationQuery& query, Page page);

  struct Overridden {
    Row row;
    std::vector<std::string> not_acknowledged;
  };
  // INVALID_ARGUMENT: a subject that the policy does not have, no reason, an end in the past. Only the owner of `control`.
  absl::StatusOr<Overridden> OverrideHealth(const OverrideOrder& order);

 private:
  absl::Status Check(const OverrideOrder& order);
  absl::StatusOr<std::vector<HealthRule>> Rules();
  Row RowOf(storage::StoredHealth health, const std::vector<HealthRule>& rules) const;

  const Parts parts_;
};

}  // namespace sluice::scheduler

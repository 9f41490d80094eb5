// Rows of storage ↔ values of policy, for warmup; and what a policy says of the sources that warm up. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "policy/warmup.h"
#include "scheduler/allowances.h"
#include "storage/event_inbox.h"
#include "storage/warmup_ledger.h"
#include "storage/warmup_store.h"

namespace sluice::scheduler {

// The share of a day after which it opens: five minutes.
inline constexpr int kSettleShare = 288;

WarmupState StateOf(const storage::WarmupStateRow& row);
void SetState(const WarmupState& state, storage::WarmupStateRow& row);
WarmupCounts CountsOf(const storage::LedgerRow& row);
// A decision, or a person's order, for those who subscribe to events.
storage::InboxNote NoteOf(const storage::WarmupEventRow& event);

// The plan of this name: the policy's own, else a shipped one.
absl::StatusOr<storage::WarmupPlanRow> PlanNamed(const PolicyDocument& policy, std::string_view name);

// Everything that control and schedulers know of warmup at one moment.
class WarmupBook {
 public:
  void SetPlans(const std::vector<storage::WarmupPlanRow>& plans);
  void SetStates(std::vector<storage::WarmupStateRow> states);
  void SetLedger(const std::vector<storage::LedgerRow>& rows);
  void SetOpinions(std::vector<storage::WarmupOpinionRow> rows);

  // nullptr = not pinned.
  const WarmupPlan* Plan(std::string_view name, int version) const;
  std::vector<storage::WarmupStateRow>& states() { return states_; }
  const std::vector<storage::WarmupStateRow>& states() const { return states_; }
  std::vector<storage::WarmupStateRow*> StatesOf(std::string_view address);
  // Days known of (address, provider), oldest first, those before `today` only.
  std::vector<WarmupDay> Days(std::string_view address, std::string_view provider, int64_t today) const;
  // The gravest of what others make of the source of `row` at its provider.
  WarmupOpinion OthersOf(const storage::WarmupStateRow& row) const;
  const storage::LedgerRow* Row(std::string_view address, std::string_view provider, int64_t day) const;

  // What the core has to know of the sources that the policy warms up; `number` gives a source's number.
  struct View {
    std::string source, address;
    std::vector<WarmupColumn> columns;
    friend bool operator==(const View&, const View&) = default;
  };
  std::vector<View> ViewFor(const PolicyDocument& policy, int64_t today, Instant now) const;

 private:
  std::map<std::pair<std::string, int>, WarmupPlan, std::less<>> plans_;
  std::vector<storage::WarmupStateRow> states_;
  std::map<std::string, std::vector<storage::WarmupOpinionRow>, std::less<>> opinions_;  // By source.
  // By (address, provider), days in order.
  std::map<std::pair<std::string, std::string>, std::vector<storage::LedgerRow>> ledger_;
};

}  // namespace sluice::scheduler

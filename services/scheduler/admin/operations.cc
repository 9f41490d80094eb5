#include "scheduler/admin/operations.h"

#include <charconv>

#include "base/status.h"
#include "base/text.h"
#include "wire/status.h"

namespace sluice::scheduler {

absl::Status OperationAdmin::Check(const OperationOrder& order) {
  RETURN_IF_ERROR(CheckControlOwner(live_));
  if (!order.names_something) {
    return wire::FieldError("filter", "is empty: name what is meant (tenant, stream, campaign, domain, provider …) or a message");
  }
  if (order.operation.kind != "move") return absl::OkStatus();
  if (order.operation.target_pool.empty()) return wire::FieldError("target_pool", "is missing: name the pool to move to");
  ASSIGN_OR_RETURN(const bool known, knows_pool_(order.operation.target_pool));
  if (known) return absl::OkStatus();
  return wire::FieldError("target_pool", Cat("the policy has no pool ", Quoted(order.operation.target_pool)));
}

absl::StatusOr<storage::OperationRow> OperationAdmin::Start(const OperationOrder& order) {
  const storage::OperationRow& asked = order.operation;
  const absl::Status checked = Check(order);
  absl::StatusOr<storage::OperationRow> started = checked.ok() ? store_.Insert(asked) : checked;
  audit_.Record(asked.author, "StartOperation",
                Cat(asked.kind, " ", asked.filter_json, asked.message_id != 0 ? Cat(" message ", asked.message_id) : "",
                    asked.target_pool.empty() ? "" : Cat(" to ", asked.target_pool), " reason: ", asked.reason),
                started.status());
  if (started.ok()) hurry_();
  return started;
}

absl::StatusOr<OperationAdmin::Operations> OperationAdmin::List(Page page) {
  RETURN_IF_ERROR(CheckPageSize(page.size, 50, 1000));
  int64_t before = 0;
  const char* end = page.after.data() + page.after.size();
  if (!page.after.empty() && std::from_chars(page.after.data(), end, before).ptr != end) {
    return wire::FieldError("page_token", "is not one that was answered");
  }
  Operations out;
  ASSIGN_OR_RETURN(out.operations, store_.List(before, page.size));
  if (static_cast<int>(out.operations.size()) == page.size) out.next_page_token = Cat(out.operations.back().id);
  return out;
}

absl::StatusOr<storage::OperationRow> OperationAdmin::Stop(int64_t id, const std::string& actor) {
  RETURN_IF_ERROR(CheckControlOwner(live_));
  RETURN_IF_ERROR(store_.Get(id).status());
  const absl::Status stopped = store_.Stop(id);
  audit_.Record(actor, "StopOperation", Cat("operation ", id), stopped);
  RETURN_IF_ERROR(stopped);
  hurry_();
  return store_.Get(id);
}

}  // namespace sluice::scheduler

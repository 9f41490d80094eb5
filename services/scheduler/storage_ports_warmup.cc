// The warmup ledger as the core asks for it.
#include "base/text.h"
#include "scheduler/storage_ports.h"

namespace sluice::scheduler {

void StoragePorts::Draw(std::vector<storage::GrantRequest> requests) {
  grants_.Post([this, requests = std::move(requests)] {
    Post([answer = ledger_.Draw(requests)](Core& core) { core.OnDrawn(answer); });
  });
}

void StoragePorts::Record(std::vector<storage::LedgerCounts> counts) {
  grants_.Post([this, counts = std::move(counts)]() mutable {
    const absl::Status status = ledger_.Record(counts);
    if (status.ok()) return;
    log_.Warn("warmup_not_recorded", {{"error", View(status.message())}});
    // A commit in doubt is not repeated: a grant given back twice would be used twice.
    if (status.code() == absl::StatusCode::kUnknown) return;
    Post([counts = std::move(counts)](Core& core) mutable { core.OnRecordFailed(std::move(counts)); });
  });
}

}  // namespace sluice::scheduler

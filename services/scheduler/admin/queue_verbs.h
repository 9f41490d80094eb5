// The queue and operation verbs of AdminService: proto in and out.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "scheduler/admin/operations.h"
#include "sluice/v1/admin.pb.h"
#include "storage/entry_store.h"

namespace sluice::scheduler {

// Thread-safe.
class QueueVerbs {
 public:
  QueueVerbs(storage::EntryStore& entries, OperationAdmin& operations) : entries_(entries), operations_(operations) {}

  absl::Status ListQueue(const v1::ListQueueRequest& request, v1::ListQueueResponse* response);
  absl::Status SummarizeQueue(const v1::SummarizeQueueRequest& request, v1::SummarizeQueueResponse* response);
  absl::Status StartOperation(std::string actor, const v1::StartOperationRequest& request,
                              v1::StartOperationResponse* response);
  absl::Status GetOperation(const v1::GetOperationRequest& request, v1::GetOperationResponse* response);
  absl::Status ListOperations(const v1::ListOperationsRequest& request, v1::ListOperationsResponse* response);
  absl::Status StopOperation(std::string actor, const v1::StopOperationRequest& request,
                             v1::StopOperationResponse* response);

 private:
  storage::EntryStore& entries_;
  OperationAdmin& operations_;
};

}  // namespace sluice::scheduler

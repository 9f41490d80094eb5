// The suppression verbs of AdminService: proto in and out.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "scheduler/admin/suppressions.h"
#include "sluice/v1/admin.pb.h"

namespace sluice::scheduler {

absl::Status ListSuppressions(SuppressionAdmin& admin, const v1::ListSuppressionsRequest& request,
                              v1::ListSuppressionsResponse* response);
absl::Status UpdateSuppressions(SuppressionAdmin& admin, std::string actor,
                                const v1::UpdateSuppressionsRequest& request,
                                v1::UpdateSuppressionsResponse* response);

}  // namespace sluice::scheduler

// The reputation verbs of AdminService: proto in and out.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "scheduler/admin/reputation.h"
#include "sluice/v1/admin.pb.h"

namespace sluice::scheduler {

absl::Status ListReputation(ReputationAdmin& admin, const v1::ListReputationRequest& request,
                            v1::ListReputationResponse* response);
absl::Status OverrideHealth(ReputationAdmin& admin, std::string actor, const v1::OverrideHealthRequest& request,
                            v1::OverrideHealthResponse* response);

}  // namespace sluice::scheduler

// The warmup verbs of AdminService: proto in and out.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "scheduler/admin/warmup.h"
#include "sluice/v1/admin.pb.h"

namespace sluice::scheduler {

absl::Status GetWarmup(WarmupAdmin& admin, const v1::GetWarmupRequest& request, v1::GetWarmupResponse* response);
absl::Status UpdateWarmup(WarmupAdmin& admin, std::string actor, const v1::UpdateWarmupRequest& request,
                          v1::UpdateWarmupResponse* response);
absl::Status ListWarmupEvents(WarmupAdmin& admin, const v1::ListWarmupEventsRequest& request,
                              v1::ListWarmupEventsResponse* response);

}  // namespace sluice::scheduler

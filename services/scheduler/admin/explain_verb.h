// AdminService.ExplainRoute in proto.
#pragma once

#include "absl/status/status.h"
#include "sluice/v1/admin.pb.h"

namespace sluice::scheduler {

class ExplainAdmin;

absl::Status ExplainRoute(ExplainAdmin& explain, const v1::ExplainRouteRequest& request, v1::ExplainRouteResponse* response);

}  // namespace sluice::scheduler

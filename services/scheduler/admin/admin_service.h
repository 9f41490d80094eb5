// The AdminService face: proto in and out, the work on threads of its own. gRPC stays in the .cc.
#pragma once

#include <memory>

#include "scheduler/admin/keys.h"
#include "scheduler/admin/policy.h"
#include "scheduler/admin/status.h"
#include "scheduler/admin/suppressions.h"

namespace grpc {
class Service;
}

namespace sluice::scheduler {

class AdminFace {
 public:
  virtual ~AdminFace() = default;
  virtual grpc::Service& service() = 0;
};

// The server must be drained before the face is destroyed; what was taken is finished then. The
// others must outlive it.
std::unique_ptr<AdminFace> MakeAdminFace(PolicyAdmin& policy, KeyAdmin& keys, StatusAdmin& status,
                                         SuppressionAdmin& suppressions, int threads = 4);

}  // namespace sluice::scheduler

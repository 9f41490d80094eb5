// The AdminService face: proto in and out, the work on threads of its own. gRPC stays in the .cc.
#pragma once

#include <memory>

#include "scheduler/admin/constraints.h"
#include "scheduler/admin/explain.h"
#include "scheduler/admin/feedback.h"
#include "scheduler/admin/keys.h"
#include "scheduler/admin/policy.h"
#include "scheduler/admin/queue_verbs.h"
#include "scheduler/admin/reputation.h"
#include "scheduler/admin/status.h"
#include "scheduler/admin/suppressions.h"
#include "scheduler/admin/warmup.h"

namespace grpc {
class Service;
}

namespace sluice::scheduler {

class AdminFace {
 public:
  virtual ~AdminFace() = default;
  virtual grpc::Service& service() = 0;
};

// The use cases behind the verbs, one an area.
struct AdminVerbs {
  PolicyAdmin& policy;
  KeyAdmin& keys;
  StatusAdmin& status;
  SuppressionAdmin& suppressions;
  ConstraintAdmin& constraints;
  ExplainAdmin& explain;
  QueueVerbs& queue;
  FeedbackFace feedback;
  ReputationAdmin& reputation;
  const Clock& clock;
  WarmupAdmin& warmup;
};

// The server must be drained before the face is destroyed; what was taken is finished then. The
// others must outlive it.
std::unique_ptr<AdminFace> MakeAdminFace(const AdminVerbs& verbs, int threads = 4);

}  // namespace sluice::scheduler

// The Intake face: hand-offs and cancels from ingest, as calls of the core. gRPC stays in the .cc.
#pragma once

#include <memory>

#include "scheduler/core.h"
#include "scheduler/mailbox.h"

namespace grpc {
class Service;
}

namespace sluice::scheduler {

class IntakeFace {
 public:
  virtual ~IntakeFace() = default;
  virtual grpc::Service& service() = 0;
  virtual void Shutdown() = 0;
};

std::unique_ptr<IntakeFace> MakeIntakeFace(Core& core, Mailbox& mailbox);

}  // namespace sluice::scheduler

// The TraceService face, on the admin port. gRPC stays in the .cc.
#pragma once

#include <memory>

#include "scheduler/admin/trace_hub.h"

namespace grpc {
class Service;
}

namespace sluice::scheduler {

class TraceFace {
 public:
  virtual ~TraceFace() = default;
  virtual grpc::Service& service() = 0;
  // Ends every stream and takes no new one.
  virtual void EndStreams() = 0;
};

// `hub` outlives it; its server must be drained before it is destroyed.
std::unique_ptr<TraceFace> MakeTraceFace(TraceHub& hub);

}  // namespace sluice::scheduler

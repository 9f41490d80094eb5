// The Dispatch face: pairs an egress's Control and Deliver streams into one EgressPort for the core, and turns wire messages into
// the core's values. gRPC stays in the .cc.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "scheduler/control/share_keeper.h"
#include "scheduler/core.h"
#include "scheduler/mailbox.h"
#include "storage/tls_result_store.h"

namespace grpc {
class Service;
}

namespace sluice::v1 {
class TraceLines;
class TraceOrder;
}

namespace sluice::scheduler {

// What control wants to know beside the core. Called on gRPC threads.
struct DispatchEvents {
  std::function<void(const EgressHello& hello)> connected;
  std::function<void(const std::string& egress, const std::string& source, int64_t epoch, bool bound,
                     const std::string& error)>
      assignment_result;
  std::function<void(std::vector<storage::TlsResultRow>)> tls_results;
  // `kept` is called when all of them are committed, from any thread.
  std::function<void(std::vector<Constraint> reactions, std::function<void()> kept)> reactions;
  std::function<void(const v1::TraceLines&)> trace;
  std::function<void(const std::string& egress, EgressUses uses)> share_uses;
};

class DispatchFace {
 public:
  virtual ~DispatchFace() = default;
  virtual grpc::Service& service() = 0;
  // Whose dialogs are watched from now on; to every egress, also those that connect later.
  virtual void Watch(const v1::TraceOrder& order) = 0;
  // Ends every stream and takes no new one.
  virtual void Shutdown() = 0;
};

std::unique_ptr<DispatchFace> MakeDispatchFace(Core& core, Mailbox& mailbox, const Logger& log,
                                               uint64_t incarnation, DispatchEvents events);

}  // namespace sluice::scheduler

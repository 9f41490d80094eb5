// Every call of a server as it ends, for the record of who asked for what. Health checks and reflection are left out; refused calls
// are told too, from where they are refused (credentials.cc).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace grpc {
class ServerContextBase;
}
namespace grpc::experimental {
class ServerInterceptorFactoryInterface;
}

namespace sluice::wire {

struct CallRecord {
  std::string method;  // `AdminService/GetPolicy`
  std::string caller;  // `operator.alice` of its certificate; in plain text the peer's address; empty when nobody is known
  std::string code;    // `OK`, `PERMISSION_DENIED`, …
  Duration duration{};  // from its arrival to its status
};
// On gRPC's threads, several at once.
using CallHook = std::function<void(const CallRecord&)>;

// For grpc::ServerBuilder.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallLog(CallHook hook);

// `/sluice.v1.AdminService/GetPolicy` without package and slash.
std::string MethodName(std::string_view path);
// Goes by something else than who calls: health checks and reflection.
bool IsHousekeeping(std::string_view path);

}  // namespace sluice::wire

#include "wire/call_log.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <utility>

#include "absl/status/status.h"
#include "wire/access.h"
#include "wire/peer.h"

namespace sluice::wire {
namespace {

std::string CodeName(grpc::StatusCode code) { return absl::StatusCodeToString(static_cast<absl::StatusCode>(code)); }

std::string CallerOf(const grpc::ServerContextBase& context) {
  const std::optional<Identity> known = IdentityOf(PeerNames(context));
  return known.has_value() ? ToString(*known) : context.peer();
}

// Lives as long as its call.
class CallLog final : public grpc::experimental::Interceptor {
 public:
  CallLog(grpc::experimental::ServerRpcInfo* call, const CallHook& hook, const Clock& clock)
      : call_(call), hook_(hook), clock_(clock), began_(clock.Steady()) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(grpc::experimental::InterceptionHookPoints::PRE_SEND_STATUS)) {
      hook_({MethodName(call_->method()), CallerOf(*call_->server_context()), CodeName(methods->GetSendStatus().error_code()),
             clock_.Steady() - began_});
    }
    methods->Proceed();
  }

 private:
  grpc::experimental::ServerRpcInfo* const call_;
  const CallHook& hook_;
  const Clock& clock_;
  const SteadyInstant began_;
};

class CallLogs final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CallLogs(CallHook hook) : hook_(std::move(hook)) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* call) override {
    return IsHousekeeping(call->method()) ? nullptr : new CallLog(call, hook_, clock_);
  }

 private:
  const CallHook hook_;
  const SystemClock clock_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallLog(CallHook hook) {
  return std::make_unique<CallLogs>(std::move(hook));
}

std::string MethodName(std::string_view path) {
  constexpr std::string_view kPackage = "/sluice.v1.";
  if (path.starts_with(kPackage)) path.remove_prefix(kPackage.size());
  return std::string(path);
}

bool IsHousekeeping(std::string_view path) {
  return path.starts_with("/grpc.health.v1.") || path.starts_with("/grpc.reflection.");
}

}  // namespace sluice::wire

#include "wire/grpc_log.h"

#include <grpc/support/log.h>

#include <cstring>

#include "base/clock.h"
#include "base/log.h"

namespace sluice::wire {

void UseLogfmtForGrpc() {
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  // A plain function: gRPC takes no context, so the line is built from nothing but the clock.
  gpr_set_log_function([](gpr_log_func_args* args) {
    // Server::Start says this one better.
    if (std::strstr(args->message, "No address added") != nullptr) return;
    StderrSink sink;
    const SystemClock clock;
    Logger(sink, clock, "grpc").Warn("grpc", {{"text", args->message}});
  });
}

void SilenceGrpc() {
  gpr_set_log_function([](gpr_log_func_args*) {});
}

}  // namespace sluice::wire

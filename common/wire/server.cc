#include "wire/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <mutex>

#include "base/status.h"
#include "base/text.h"
#include "mail/limits.h"

namespace sluice::wire {
namespace {

int Millis(Duration d) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

// gRPC keeps both as switches of the process.
void EnableHealthAndReflection() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

void SetLimits(const ServerOptions& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(limits::kGrpcMessageBytes);
  builder.SetMaxSendMessageSize(limits::kGrpcMessageBytes);
  // Reflection is the only service that blocks a thread.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
  // Two processes on one port would share its calls without a word.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Millis(options.idle_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Millis(options.keepalive_interval));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  if (options.buffer_bytes > 0) {
    builder.SetResourceQuota(
        grpc::ResourceQuota("sluice").Resize(static_cast<size_t>(options.buffer_bytes)));
  }
}

std::string WithPort(const std::string& address, int port) {
  if (address.rfind("unix", 0) == 0) return address;
  return Cat(address.substr(0, address.rfind(':')), ":", port);
}

}  // namespace

Server::Server(std::unique_ptr<grpc::Server> server, std::vector<std::string> addresses)
    : server_(std::move(server)), addresses_(std::move(addresses)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const std::vector<grpc::Service*>& services) {
  if (options.listen.empty()) return absl::InvalidArgumentError("no address to listen on");
  EnableHealthAndReflection();
  grpc::ServerBuilder builder;
  SetLimits(options, builder);
  std::vector<int> ports(options.listen.size(), 0);
  for (size_t i = 0; i < options.listen.size(); ++i) {
    ASSIGN_OR_RETURN(const auto credentials,
                     MakeServerCredentials(options.credentials, options.listen[i], options.on_call));
    builder.AddListeningPort(options.listen[i], credentials, &ports[i]);
  }
  for (grpc::Service* service : services) builder.RegisterService(service);
  if (options.on_call) {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> logs;
    logs.push_back(MakeCallLog(options.on_call));
    builder.experimental().SetInterceptorCreators(std::move(logs));
  }
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();

  std::vector<std::string> addresses;
  for (size_t i = 0; i < ports.size(); ++i) {
    if (server == nullptr || ports[i] == 0) {
      if (ports[i] != 0) continue;
      return absl::UnavailableError(
          Cat("cannot listen on '", options.listen[i],
              "': in use, not an address of this host, or not permitted"));
    }
    addresses.push_back(WithPort(options.listen[i], ports[i]));
  }
  if (server == nullptr) return absl::InternalError("the gRPC server did not start");
  std::unique_ptr<Server> out(new Server(std::move(server), std::move(addresses)));
  out->SetServing(false);
  return out;
}

Server::~Server() { Drain(Duration::zero()); }

void Server::SetServing(bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(serving);
}

void Server::Drain(Duration grace) {
  if (drained_) return;
  drained_ = true;
  server_->GetHealthCheckService()->SetServingStatus(false);
  server_->Shutdown(std::chrono::system_clock::now() + grace);
  server_->Wait();
}

}  // namespace sluice::wire

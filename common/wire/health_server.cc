#include "wire/health_server.h"

#include "base/config.h"
#include "base/status.h"

namespace sluice::wire {

void HealthOptions::Bind(Config& config) {
  config.Bind("health.listen", listen, "Address that answers gRPC health and nothing else; empty = none.");
  credentials.Bind(config, "health");
}

absl::StatusOr<HealthServer> HealthServer::Start(const HealthOptions& options) {
  if (options.listen.empty()) return HealthServer(nullptr);
  ServerOptions server;
  server.listen = {options.listen};
  server.credentials = options.credentials;
  ASSIGN_OR_RETURN(std::unique_ptr<Server> started, Server::Start(server, {}));
  return HealthServer(std::move(started));
}

}  // namespace sluice::wire

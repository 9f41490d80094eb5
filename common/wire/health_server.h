// An address that answers grpc.health.v1 and nothing else, for probes that carry no certificate: it may stand in plain text beside
// services that are closed. A service that is not ready, or drains, says NOT_SERVING.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "wire/credentials.h"
#include "wire/server.h"

namespace sluice {
class Config;
}

namespace sluice::wire {

struct HealthOptions {
  std::string listen;  // Empty = none.
  CredentialsConfig credentials;

  // Binds `health.listen`, `health.plaintext` and so on. This object must outlive `config`.
  void Bind(Config& config);
};

class HealthServer {
 public:
  static absl::StatusOr<HealthServer> Start(const HealthOptions& options);
  // Thread-safe.
  void SetServing(bool serving) {
    if (server_ != nullptr) server_->SetServing(serving);
  }

 private:
  explicit HealthServer(std::unique_ptr<Server> server) : server_(std::move(server)) {}
  std::unique_ptr<Server> server_;
};

}  // namespace sluice::wire

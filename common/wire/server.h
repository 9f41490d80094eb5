// One gRPC server of the callback API: listens, answers health and reflection, bounds message size
// and connections, and drains. A process that serves several audiences (public, admin, internal)
// starts one each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "wire/call_log.h"
#include "wire/credentials.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace sluice::wire {

struct ServerOptions {
  // "127.0.0.1:8080", "[::]:8080", "unix:/run/x.sock"; port 0 picks a free one.
  std::vector<std::string> listen;
  CredentialsConfig credentials;
  // Streams at once on one connection.
  int max_concurrent_streams = 256;
  // What gRPC may hold in buffers for this server; 0 = no bound of its own.
  int64_t buffer_bytes = 0;
  // A connection without a call this long is closed (clients reconnect by themselves).
  Duration idle_timeout = std::chrono::minutes(10);
  // A peer that is silent this long is asked, and closed when it does not answer in time.
  Duration keepalive_interval = std::chrono::seconds(20);
  Duration keepalive_timeout = std::chrono::seconds(10);
  // Told of every call that ends or is refused; empty = nobody is.
  CallHook on_call;
};

class Server {
 public:
  // The services must outlive the server. Health answers NOT_SERVING until SetServing(true).
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       const std::vector<grpc::Service*>& services);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // As given, with the real port; in the order of `listen`.
  const std::vector<std::string>& addresses() const { return addresses_; }
  // What grpc.health.v1 answers, for the empty name and every service. Thread-safe.
  void SetServing(bool serving);
  // Health turns to NOT_SERVING, no call is taken any more, those running have until `grace` to end
  // and are then cancelled. Returns when the last one has ended. Long streams should be ended by
  // their service first. Once only counts; the destructor calls it with no grace.
  void Drain(Duration grace);

 private:
  Server(std::unique_ptr<grpc::Server> server, std::vector<std::string> addresses);
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::string> addresses_;
  bool drained_ = false;
};

}  // namespace sluice::wire

// A real name server for a test: the distribution's knotd with the given zones on a loopback port
// of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace sluice {

// Zone name ("mail.test.") to the lines of its zone file; SOA and NS are added.
using Zones = std::map<std::string, std::string>;

class KnotServer {
 public:
  // NotFound if knotd is not installed; DeadlineExceeded if it does not answer within some seconds.
  static absl::StatusOr<std::unique_ptr<KnotServer>> Start(const Zones& zones);
  ~KnotServer();
  KnotServer(const KnotServer&) = delete;
  KnotServer& operator=(const KnotServer&) = delete;

  // As a resolver takes it: "127.0.0.1@PORT".
  std::string forwarder() const;
  // Ends the server; questions find a closed port from then on.
  void Stop();

 private:
  KnotServer(std::string directory, uint16_t port)
      : directory_(std::move(directory)), port_(port) {}
  absl::Status Launch(const Zones& zones);
  absl::Status WaitUntilAnswering(const std::string& zone) const;

  std::string directory_;
  uint16_t port_;
  pid_t pid_ = -1;
};

}  // namespace sluice

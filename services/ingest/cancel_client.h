// Asks the owner of a shard to cancel entries, over Intake.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "mail/ids.h"
#include "wire/channel.h"

namespace sluice::ingest {

// Thread-safe.
class CancelClient {
 public:
  CancelClient(wire::ChannelOptions options, Duration timeout)
      : options_(std::move(options)), timeout_(timeout) {}

  // As Handoff::SetOwners.
  void SetOwners(const std::map<int, std::string>& owners);
  // Each entry's id and whether it was cancelled in time. Waits at most the timeout; Unavailable
  // with a retry hint when the shard has no owner or it does not answer.
  absl::StatusOr<std::vector<std::pair<int64_t, bool>>> Cancel(MessageId message,
                                                               const std::vector<int64_t>& entries);

 private:
  const wire::ChannelOptions options_;
  const Duration timeout_;
  std::mutex mutex_;
  std::map<int, std::string> owners_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;
};

}  // namespace sluice::ingest

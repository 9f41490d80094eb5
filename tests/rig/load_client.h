// The gRPC end of the load generator: a number of SubmitStream calls on one completion queue,
// driven by one thread. It sends frames, hands back outcomes, and calls anew when a stream breaks.
// What is in a frame is the owner's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "rig/load_plan.h"
#include "wire/credentials.h"

namespace sluice::v1 {
class Submission;
class SubmitOutcome;
}  // namespace sluice::v1

namespace sluice::rig {

struct LoadClientOptions {
  std::string target;
  std::string key;
  wire::CredentialsConfig credentials;
  uint64_t connections = 1;
  uint64_t window = 16;  // unanswered frames of a stream
  // A stream with unanswered frames that says nothing for so long is given up and called anew.
  Duration silence = std::chrono::seconds(20);
};

class LoadClient {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Puts what is to be sent now into `frame` (empty when called); leaves it empty when there is
    // nothing.
    virtual void NextFrame(std::vector<Pending>& frame) = 0;
    // `submission` may hold the values of an earlier one: every field that is used must be set.
    virtual void Fill(Pending& pending, v1::Submission& submission) = 0;
    virtual void OnOutcome(const Pending& pending, const v1::SubmitOutcome& outcome) = 0;
    // The stream broke before the frame was answered.
    virtual void OnLost(const Pending& pending) = 0;
    // The server said something that no retry mends, for example UNAUTHENTICATED.
    virtual void OnFatal(const absl::Status& status) = 0;
  };

  // An error when the target or the credentials are no good. `owner` outlives the client.
  static absl::StatusOr<std::unique_ptr<LoadClient>> Make(LoadClientOptions options,
                                                          const Clock& clock, Owner& owner);
  virtual ~LoadClient() = default;
  // Offers frames to every stream with room, and works off what happens until `until`; returns
  // early when something happened.
  virtual void Run(SteadyInstant until) = 0;
  // Half-closes all streams and waits up to `patience` for their ends.
  virtual void Finish(Duration patience) = 0;
  virtual uint64_t reconnects() const = 0;
};

}  // namespace sluice::rig

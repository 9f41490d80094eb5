// Beside the core, on a thread of its own: one round a second while this process holds `control`, with the policy in force. A round that
// fails or takes long delays the next one, and nothing else.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/log.h"
#include "mail/policy_document.h"
#include "storage/policy_store.h"

namespace sluice::scheduler {

class Rounds {
 public:
  struct Parts {
    storage::PolicyStore& policies;
    std::function<absl::StatusOr<PolicyDocument>(const std::string& json)> parse;
    std::function<bool()> has_control;
    const Logger& log;
  };
  // All are called on the thread of the rounds.
  struct Work {
    std::string name = {};                                       // `NAME_round_failed` is logged once for each trouble.
    std::function<void(const PolicyDocument&)> on_policy = {};     // Before the first round with it; may be absent.
    std::function<absl::Status(const PolicyDocument&)> round = {};
    std::function<void()> forget = {};                             // Somebody else holds control.
  };
  Rounds(Parts parts, Work work);
  ~Rounds() { Stop(); }
  // Waits for the round under way.
  void Stop();

 private:
  void Run();
  absl::Status Round();
  absl::Status FollowPolicy();

  const Parts parts_;
  const Work work_;
  PolicyDocument policy_;
  int64_t revision_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sluice::scheduler

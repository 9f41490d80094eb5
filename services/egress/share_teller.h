// Tells a scheduler what this egress uses of limits that several share, and spreads what it gives to the I/O threads, each of which
// is a holder of its own: what belongs to a thread needs no locks. On the control thread.
//
// One message is under way at a time, and only the answer to the last one counts: a share that was lowered after an earlier one
// must not come back with its answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <asio/io_context.hpp>

#include "egress/io_thread.h"
#include "egress/shared_connections.h"

namespace sluice::egress {

struct HeldUse {
  std::string holder;
  ShareUse use;
};
struct HeldShare {
  std::string holder;
  GivenShare share;
};

class ShareTeller {
 public:
  // To the scheduler of this place among those that listen (modulo their number).
  using Tell = std::function<void(size_t place, int64_t sent_at_micros, const std::vector<HeldUse>& uses)>;

  // What is referred to outlives it, and threads end before it.
  ShareTeller(const std::vector<std::unique_ptr<IoThread>>& threads, asio::io_context& control, uint64_t incarnation, Tell tell)
      : threads_(threads), control_(control), incarnation_(incarnation), tell_(std::move(tell)) {}

  void Tick(SteadyInstant now);
  // Shares are good for so long from when what they answer was sent.
  void Given(int64_t sent_at_micros, Duration valid_for, const std::vector<HeldShare>& shares);

 private:
  static constexpr Duration kEvery = std::chrono::milliseconds(500);
  // Then another scheduler is asked.
  static constexpr Duration kPatience = std::chrono::seconds(3);
  struct Round {
    SteadyInstant at{};
    size_t missing = 0;  // Threads that have not said what they use.
    std::vector<HeldUse> uses;
  };
  // A new process knows nothing of what went in an old one's intervals: for rates it is another holder. The old one's connections
  // are surely gone, as there is one process of a name.
  std::string HolderOf(size_t thread, bool is_rate) const;
  void Collected(const std::shared_ptr<Round>& round, size_t thread, std::vector<ShareUse> uses);

  const std::vector<std::unique_ptr<IoThread>>& threads_;
  asio::io_context& control_;
  const uint64_t incarnation_;
  const Tell tell_;
  std::shared_ptr<Round> round_;  // Null: answered.
  SteadyInstant started_at_{};
  size_t place_ = 0;
};

}  // namespace sluice::egress

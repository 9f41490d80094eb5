// What egress makes of refusals: the rules and their counts, shared by all I/O threads, and the reactions that are on their way to
// the scheduler's table. Until they are kept there they are kept here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "policy/automation.h"

namespace sluice::egress {

struct NumberedReaction {
  int64_t number = 0;
  Reaction reaction;
};

// Thread-safe.
class Reactions {
 public:
  // Beyond this many the oldest are forgotten: they act here until they end, but do not outlive this process.
  static constexpr size_t kMostKept = 10'000;

  void SetRules(std::vector<PlacedAutomation> rules);
  // See Automation::OnRefusal; the reactions are on their way, too.
  Automation::Outcome OnRefusal(const Refusal& refusal, double taken, bool counts, Instant now);
  // Takes the place of one with the same cause, rule and scope that is not kept yet.
  void Add(Reaction reaction);

  // Those above `number` that are not kept, in order, at most `most`.
  std::vector<NumberedReaction> After(int64_t number, size_t most) const;
  // All up to this one are in the scheduler's table.
  void Kept(int64_t through);
  bool empty() const;
  // One with this cause, rule and scope is not in the scheduler's table yet.
  bool IsPending(const Reaction& reaction) const;

 private:
  void AddLocked(Reaction reaction);

  mutable std::mutex mutex_;
  std::shared_ptr<const AutomationRules> rules_ = std::make_shared<const AutomationRules>();
  Automation automation_;
  std::map<int64_t, Reaction> pending_;  // By number.
  int64_t last_number_ = 0;
};

}  // namespace sluice::egress

#include "egress/reactions.h"

#include <algorithm>
#include <utility>

namespace sluice::egress {
namespace {

bool IsSame(const Reaction& a, const Reaction& b) { return a.cause == b.cause && a.rule == b.rule && a.scope == b.scope; }

}  // namespace

void Reactions::SetRules(std::vector<PlacedAutomation> rules) {
  auto compiled = std::make_shared<const AutomationRules>(std::move(rules));
  const std::lock_guard lock(mutex_);
  rules_ = std::move(compiled);
}

Automation::Outcome Reactions::OnRefusal(const Refusal& refusal, double taken, bool counts, Instant now) {
  const std::lock_guard lock(mutex_);
  Automation::Outcome outcome = automation_.OnRefusal(*rules_, refusal, taken, counts, now);
  for (const Reaction& reaction : outcome.reactions) AddLocked(reaction);
  return outcome;
}

void Reactions::Add(Reaction reaction) {
  const std::lock_guard lock(mutex_);
  AddLocked(std::move(reaction));
}

void Reactions::AddLocked(Reaction reaction) {
  std::erase_if(pending_, [&](const auto& item) { return IsSame(item.second, reaction); });
  if (pending_.size() >= kMostKept) pending_.erase(pending_.begin());
  pending_.emplace(++last_number_, std::move(reaction));
}

std::vector<NumberedReaction> Reactions::After(int64_t number, size_t most) const {
  const std::lock_guard lock(mutex_);
  std::vector<NumberedReaction> out;
  for (auto it = pending_.upper_bound(number); it != pending_.end() && out.size() < most; ++it) {
    out.push_back({it->first, it->second});
  }
  return out;
}

void Reactions::Kept(int64_t through) {
  const std::lock_guard lock(mutex_);
  pending_.erase(pending_.begin(), pending_.upper_bound(through));
}

bool Reactions::IsPending(const Reaction& reaction) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(pending_.begin(), pending_.end(), [&](const auto& item) { return IsSame(item.second, reaction); });
}

bool Reactions::empty() const {
  const std::lock_guard lock(mutex_);
  return pending_.empty();
}

}  // namespace sluice::egress

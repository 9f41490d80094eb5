#include "policy/rotation.h"

#include <algorithm>

#include "base/check.h"

namespace sluice {

Rotation::Rotation(std::span<const RotationMember> members) {
  for (const RotationMember& member : members) {
    members_.push_back({.weight = std::max(member.weight, 0), .reserve = member.reserve});
  }
}

Rotation::Rotation(const std::vector<int>& weights) {
  for (const int weight : weights) members_.push_back({.weight = std::max(weight, 0)});
}

int Rotation::Pick(std::span<const uint8_t> eligible) {
  SLUICE_CHECK(eligible.size() == members_.size());
  return Pick([&](int i) { return eligible[static_cast<size_t>(i)] != 0; });
}

// Everybody who takes part earns its weight; who is picked pays for all. The sum of credits never changes.
int Rotation::PickMarked() {
  int64_t total = 0, count = 0;
  bool changed = false;
  for (Member& member : members_) {
    changed = changed || member.takes_part != member.took_part;
    member.took_part = member.takes_part;
    if (!member.takes_part) continue;
    total += member.weight;
    ++count;
  }
  if (changed) {
    window_.clear();
    oldest_ = 0;
    for (Member& member : members_) member.in_window = 0;
  }
  if (count == 0) return -1;
  for (Member& member : members_) {
    if (member.takes_part) member.credit += member.weight;
  }
  const int pick = window_.size() == kWindow ? FromWindow(total) : Earliest(total, count);
  members_[static_cast<size_t>(pick)].credit -= total;
  Remember(pick);
  return pick;
}

int Rotation::Earliest(int64_t total, int64_t count) const {
  const int64_t scale = count > 1 ? 2 * count - 2 : 1;
  int earliest = -1, richest = -1;
  int64_t least = 0;
  for (int i = 0; i < size(); ++i) {
    const Member& member = members_[static_cast<size_t>(i)];
    if (!member.takes_part) continue;
    if (richest < 0 || member.credit > members_[static_cast<size_t>(richest)].credit) richest = i;
    if (count > 1 && scale * member.credit < total) continue;
    // Until its deadline, times scale and weight.
    const int64_t left = (scale - 1) * total - scale * member.credit;
    if (earliest < 0 || left * members_[static_cast<size_t>(earliest)].weight < least * member.weight) {
      earliest = i;
      least = left;
    }
  }
  return earliest >= 0 ? earliest : richest;
}

int Rotation::FromWindow(int64_t total) const {
  constexpr auto kPicks = static_cast<int64_t>(kWindow);
  const int before = window_[oldest_];
  const Member& had = members_[static_cast<size_t>(before)];
  const int64_t least = kPicks * had.weight / total, most = (kPicks * had.weight + total - 1) / total;
  if (had.in_window <= least) return before;
  int best = before;
  for (int i = 0; i < size(); ++i) {
    const Member& member = members_[static_cast<size_t>(i)];
    if (!member.takes_part || i == before) continue;
    if (member.in_window >= (kPicks * member.weight + total - 1) / total) continue;
    // Who came into the window with more than its share gives up a turn in any case.
    const bool must = best == before && had.in_window > most;
    if (must || member.credit > members_[static_cast<size_t>(best)].credit) best = i;
  }
  return best;
}

void Rotation::Remember(int pick) {
  ++members_[static_cast<size_t>(pick)].in_window;
  if (window_.size() < kWindow) {
    window_.push_back(static_cast<uint16_t>(pick));
    return;
  }
  --members_[window_[oldest_]].in_window;
  window_[oldest_] = static_cast<uint16_t>(pick);
  oldest_ = (oldest_ + 1) % kWindow;
}

void Rotation::Update(std::span<const RotationMember> members, std::span<const int> earlier) {
  SLUICE_CHECK(members.size() == earlier.size());
  const auto total_of = [](const std::vector<Member>& all) {
    int64_t total = 0;
    for (const Member& member : all) total += member.weight;
    return total;
  };
  const std::vector<Member> before = std::move(members_);
  members_.clear();
  window_.clear();
  oldest_ = 0;
  for (const RotationMember& member : members) {
    members_.push_back({.weight = std::max(member.weight, 0), .reserve = member.reserve});
  }
  const int64_t total_before = total_of(before);
  const int64_t total = total_of(members_);
  for (size_t i = 0; i < members_.size(); ++i) {
    const int was = earlier[i];
    if (was < 0 || was >= static_cast<int>(before.size()) || total_before == 0) continue;
    // The same share of a round as before.
    members_[i].credit =
        std::clamp(before[static_cast<size_t>(was)].credit * total / total_before, -total, total);
  }
  Balance();
}

// Brings the sum of credits back to zero, a little from each: members came and went.
void Rotation::Balance() {
  int64_t sum = 0;
  for (const Member& member : members_) sum += member.credit;
  auto left = static_cast<int64_t>(members_.size());
  for (Member& member : members_) {
    const int64_t share = sum / left--;
    member.credit -= share;
    sum -= share;
  }
}

}  // namespace sluice

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

// Everybody who takes part earns its weight; the richest pays for all. The sum of credits never
// changes.
int Rotation::PickMarked() {
  int64_t total = 0;
  Member* richest = nullptr;
  for (Member& member : members_) {
    if (!member.takes_part) continue;
    member.credit += member.weight;
    total += member.weight;
    if (richest == nullptr || member.credit > richest->credit) richest = &member;
  }
  if (richest == nullptr) return -1;
  richest->credit -= total;
  return static_cast<int>(richest - members_.data());
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

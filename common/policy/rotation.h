// Whose turn it is in a pool, deterministic and spread out evenly (weights 3 and 1 give a a b a, never a a a b). While the same
// members stay eligible, each one's picks in any 100 consecutive ones differ from its exact share by less than 1. A member that was
// not eligible gets no catch-up when it comes back. Keep one per (pool, provider).
//
// How: the member whose next turn has the earliest deadline among those that are due (R. Tijdeman, The chairman assignment problem,
// 1980: never more than 1 from the exact share since the beginning). From the 101st pick on, the turn of 100 picks ago is taken
// again, unless another member is further behind and both stay within the whole numbers around their shares of 100.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

struct RotationMember {
  // 0..1000; 0 is never picked.
  int weight = 1;
  // Picked only when no regular member is eligible.
  bool reserve = false;
};

// Not thread-safe.
class Rotation {
 public:
  Rotation() = default;
  explicit Rotation(std::span<const RotationMember> members);
  explicit Rotation(const std::vector<int>& weights);

  // Index of the member whose turn it is, -1 when none is eligible. `is_eligible(index)` is asked
  // once a member at most.
  template <std::predicate<int> IsEligible>
  int Pick(IsEligible is_eligible);
  // Nonzero = eligible; one element a member.
  int Pick(std::span<const uint8_t> eligible);

  // The members of a new policy; `earlier[i]` is what member i was before, -1 for a new one.
  // Everybody keeps their turn as far as it still makes sense, so that an edit does not begin the
  // round anew.
  void Update(std::span<const RotationMember> members, std::span<const int> earlier);

  int size() const { return static_cast<int>(members_.size()); }

 private:
  static constexpr size_t kWindow = 100;
  struct Member {
    int64_t weight = 0;
    // Turns due so far less turns had, times the total weight of those who take part.
    int64_t credit = 0;
    int64_t in_window = 0;
    bool reserve = false;
    bool takes_part = false;
    bool took_part = false;
  };
  int PickMarked();
  // By deadline; when nobody is due (members came and went) the one with the most credit.
  int Earliest(int64_t total, int64_t count) const;
  // Whose turn it was 100 picks ago, or who is to have it instead.
  int FromWindow(int64_t total) const;
  void Remember(int pick);
  void Balance();

  std::vector<Member> members_;
  std::vector<uint16_t> window_;  // The last picks, the oldest at oldest_ once there are 100.
  size_t oldest_ = 0;
};

template <std::predicate<int> IsEligible>
int Rotation::Pick(IsEligible is_eligible) {
  bool regular = false;
  for (int i = 0; i < size(); ++i) {
    Member& member = members_[static_cast<size_t>(i)];
    member.takes_part = member.weight > 0 && !member.reserve && is_eligible(i);
    regular = regular || member.takes_part;
  }
  for (int i = 0; !regular && i < size(); ++i) {
    Member& member = members_[static_cast<size_t>(i)];
    member.takes_part = member.weight > 0 && member.reserve && is_eligible(i);
  }
  return PickMarked();
}

}  // namespace sluice

// Whose turn it is in a pool: smooth weighted round robin, deterministic, spread out as evenly as
// the weights allow (weights 3 and 1 give a a b a, never a a a b). While the same members stay
// eligible, a member's picks in any 100 consecutive ones are less than 2 from its exact share with
// up to 4 members, less than 3 with more. A member that was not eligible gets no catch-up when it
// comes back. Keep one per (pool, provider).
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
  struct Member {
    int64_t weight = 0;
    int64_t credit = 0;
    bool reserve = false;
    bool takes_part = false;
  };
  int PickMarked();
  void Balance();

  std::vector<Member> members_;
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

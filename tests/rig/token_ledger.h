// Who received what how often: (token, recipient) → times accepted, so that a chaos test can ask
// what was duplicated and what came at all. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"

namespace sluice::rig {

// One acceptance of one recipient: the sink decided 2xx at the dot.
struct Acceptance {
  Instant at{};
  std::string source;     // ADDR:PORT
  bool answered = false;  // the 2xx was written whole
};

struct Duplicate {
  std::string token;
  std::string recipient;
  uint64_t times = 0;
  std::vector<Acceptance> acceptances;  // at most kMaxAcceptances
};

class TokenLedger {
 public:
  static constexpr size_t kMaxDuplicates = 10'000;
  static constexpr size_t kMaxAcceptances = 8;
  static constexpr size_t kMaxSourceNames = 65'536;

  // Holds at most `capacity` pairs, about 64 bytes each; later ones are only counted as untracked.
  explicit TokenLedger(size_t capacity) : capacity_(capacity) {}

  void Accept(std::string_view token, std::string_view recipient, const Acceptance& acceptance);

  struct Totals {
    uint64_t acceptances = 0;  // of recipients with a token
    uint64_t distinct = 0;     // pairs accepted at least once
    uint64_t duplicated = 0;   // pairs accepted more than once
    uint64_t extra = 0;        // acceptances beyond the first of their pair
    uint64_t unanswered = 0;   // acceptances whose 2xx was not written whole
    uint64_t untracked = 0;    // acceptances of pairs there was no room for
  };
  Totals totals() const;
  // In the order in which the second acceptances came.
  std::vector<Duplicate> Duplicates() const;
  // 0 when it was never accepted (or not tracked).
  uint64_t Times(std::string_view token, std::string_view recipient) const;

 private:
  struct Key {
    uint64_t high, low;
    friend bool operator==(const Key&, const Key&) = default;
    template <class H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.low);
    }
  };
  struct Seen {
    int64_t first_at_micros;
    uint32_t times;
    uint32_t source_and_answered;  // index into sources_, shifted by one; lowest bit: answered
  };
  static Key KeyOf(std::string_view token, std::string_view recipient);
  uint32_t SourceIndex(const std::string& source);
  void NoteDuplicate(const Key& key, const Seen& seen, std::string_view token,
                     std::string_view recipient, const Acceptance& acceptance);

  const size_t capacity_;
  mutable std::mutex mutex_;
  absl::flat_hash_map<Key, Seen> seen_;
  absl::flat_hash_map<Key, size_t> duplicate_index_;
  std::vector<Duplicate> duplicates_;
  absl::flat_hash_map<std::string, uint32_t> source_index_;
  std::vector<std::string> sources_;
  Totals totals_;
};

}  // namespace sluice::rig

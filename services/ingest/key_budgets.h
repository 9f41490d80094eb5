// What an API key may submit by the second: token buckets of messages and bytes, in this process. A bucket holds a second's worth. A
// request passes whole while a bucket is not in debt, so that a large frame can pass at all, and what it overdrew holds back the next
// ones: over any span t at most rate × (t + 1 s) and one request more get through.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/text.h"
#include "storage/key_store.h"

namespace sluice::ingest {

// Thread-safe. A key without limits costs a comparison.
class KeyBudgets {
 public:
  struct Refusal {
    std::string_view unit;  // `messages` or `bytes`.
    int64_t per_second = 0;
    Duration retry_after{0};
  };
  // Takes what a request of the key needs from both buckets, or nothing and says when to come back.
  std::optional<Refusal> Take(std::string_view key_id, const storage::KeyLimits& limits, int64_t messages, int64_t bytes,
                              SteadyInstant now);

 private:
  static constexpr size_t kSweptAt = 10'000;
  // When each bucket will be full again, less what it holds: a bucket in the form of an instant.
  struct Budget {
    SteadyInstant messages{}, bytes{};
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Budget, StringHash, std::equal_to<>> budgets_;  // Of keys with limits.
};

}  // namespace sluice::ingest

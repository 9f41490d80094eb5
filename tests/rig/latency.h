// Submit-to-delivered latency from tokens that begin with the submit time, as a histogram of fixed
// size.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sluice::rig {

// A token of 32 hex digits: 16 of microseconds since the epoch, 16 that make it unique.
std::string MakeToken(Instant submitted_at, uint64_t unique);
// Nothing when the token has another form.
std::optional<Instant> SubmittedAt(std::string_view token);

// Buckets grow by an eighth: a percentile is at most 12.5% above the true one. Any thread may add
// and read.
class LatencyHistogram {
 public:
  void Add(Duration latency);
  // Begins anew. What is added meanwhile may count before or after.
  void Clear();
  uint64_t count() const;
  Duration max() const { return Duration(max_.load(std::memory_order_relaxed)); }
  // `share` 0.5 for the median. The upper edge of the bucket; zero when empty.
  Duration Percentile(double share) const;

 private:
  static constexpr size_t kBits = 5;
  static constexpr size_t kPerDoubling = 1 << kBits;
  static constexpr size_t kBuckets = 48 * kPerDoubling;
  static size_t BucketOf(uint64_t micros);
  static uint64_t UpperEdge(size_t bucket);

  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<int64_t> max_{0};
};

}  // namespace sluice::rig

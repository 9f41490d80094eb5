#include "rig/latency.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

namespace sluice::rig {
namespace {

void AppendHex16(std::string& out, uint64_t value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out += kHex[value >> shift & 15];
}

}  // namespace

std::string MakeToken(Instant submitted_at, uint64_t unique) {
  std::string token;
  token.reserve(32);
  AppendHex16(token, static_cast<uint64_t>(ToMicros(submitted_at)));
  AppendHex16(token, unique);
  return token;
}

std::optional<Instant> SubmittedAt(std::string_view token) {
  if (token.size() != 32) return std::nullopt;
  int64_t micros = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + 16, micros, 16);
  if (error != std::errc() || end != token.data() + 16 || micros <= 0) return std::nullopt;
  return FromMicros(micros);
}

size_t LatencyHistogram::BucketOf(uint64_t micros) {
  if (micros < 2 * kPerDoubling) return static_cast<size_t>(micros);
  const auto shift = static_cast<size_t>(std::bit_width(micros)) - kBits - 1;
  return std::min(kBuckets - 1, shift * kPerDoubling + static_cast<size_t>(micros >> shift));
}

uint64_t LatencyHistogram::UpperEdge(size_t bucket) {
  if (bucket < 2 * kPerDoubling) return bucket;
  const size_t shift = bucket / kPerDoubling - 1;
  return ((bucket - shift * kPerDoubling + 1) << shift) - 1;
}

void LatencyHistogram::Add(Duration latency) {
  const int64_t micros = std::max<int64_t>(0, latency.count());
  buckets_[BucketOf(static_cast<uint64_t>(micros))].fetch_add(1, std::memory_order_relaxed);
  int64_t before = max_.load(std::memory_order_relaxed);
  while (micros > before &&
         !max_.compare_exchange_weak(before, micros, std::memory_order_relaxed)) {
  }
}

void LatencyHistogram::Clear() {
  for (auto& bucket : buckets_) bucket.store(0, std::memory_order_relaxed);
  max_.store(0, std::memory_order_relaxed);
}

uint64_t LatencyHistogram::count() const {
  uint64_t sum = 0;
  for (const auto& bucket : buckets_) sum += bucket.load(std::memory_order_relaxed);
  return sum;
}

Duration LatencyHistogram::Percentile(double share) const {
  const uint64_t all = count();
  if (all == 0) return Duration(0);
  const auto rank =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(all))));
  uint64_t sum = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    sum += buckets_[i].load(std::memory_order_relaxed);
    if (sum >= rank) return std::min(max(), Duration(static_cast<int64_t>(UpperEdge(i))));
  }
  return max();
}

}  // namespace sluice::rig

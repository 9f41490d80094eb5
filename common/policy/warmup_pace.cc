#include "policy/warmup_pace.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice {
namespace {

constexpr int64_t kSmallCap = 200;
constexpr int64_t kLargestChunk = 500;

double Share(const PacedCap& row, Instant now) {
  const double length = static_cast<double>((row.closes_at - row.opens_at).count());
  if (length <= 0) return now >= row.opens_at ? 1 : 0;
  return std::clamp(static_cast<double>((now - row.opens_at).count()) / length, 0.0, 1.0);
}

}  // namespace

int64_t PaceBurst(int64_t cap) { return std::max<int64_t>(1, cap / 50); }

int64_t PaceAllows(const PacedCap& row, Instant now) {
  if (now < row.stopped_until) return 0;
  if (!row.cap.has_value()) return std::numeric_limits<int64_t>::max();
  if (now < row.opens_at || *row.cap <= 0) return 0;
  const double even = std::floor(static_cast<double>(*row.cap) * Share(row, now));
  return std::min(*row.cap, static_cast<int64_t>(even) + PaceBurst(*row.cap));
}

std::optional<Instant> NextGrantAt(const PacedCap& row, Instant now) {
  if (row.cap.has_value() && row.used >= *row.cap) return std::nullopt;
  const Instant from = std::max(now, row.stopped_until);
  if (row.used < PaceAllows(row, from)) return from;
  if (from < row.opens_at) return row.opens_at;
  const double needed = static_cast<double>(row.used + 1 - PaceBurst(*row.cap)) / static_cast<double>(*row.cap);
  const auto length = static_cast<double>((row.closes_at - row.opens_at).count());
  const Instant at = row.opens_at + Duration(static_cast<int64_t>(std::ceil(length * needed)) + 1);
  return std::max(at, from + Duration(1));
}

std::optional<Instant> LastGrantAt(const PacedCap& today, int64_t count, const PacedDays& then, Instant now) {
  const bool is_over = today.stopped_until >= then.opens_at;
  const int64_t room = is_over ? 0 : today.cap ? *today.cap - today.used : count;
  if (count <= room) {
    PacedCap row = today;
    row.used += count - 1;
    return NextGrantAt(row, now);
  }
  const Instant stopped = std::max(now, today.stopped_until);
  const int64_t idle_days = stopped > then.opens_at ? (stopped - then.opens_at) / then.length + 1 : 0;
  const Instant first = then.opens_at + then.length * idle_days;
  if (!then.cap) return first;
  if (*then.cap <= 0) return std::nullopt;
  const int64_t rest = count - std::max<int64_t>(room, 0);
  const int64_t days = (rest - 1) / *then.cap;
  const Instant opens = first + then.length * days;
  return NextGrantAt({.cap = then.cap, .used = rest - 1 - days * *then.cap, .opens_at = opens, .closes_at = opens + then.open}, opens);
}

int64_t DrawChunk(std::optional<int64_t> cap) {
  if (!cap.has_value()) return kLargestChunk;
  if (*cap < kSmallCap) return 1;
  return std::min(*cap / 50, kLargestChunk);
}

}  // namespace sluice

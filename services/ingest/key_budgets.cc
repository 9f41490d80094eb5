#include "ingest/key_budgets.h"

#include <algorithm>

namespace sluice::ingest {
namespace {

constexpr auto kBurst = std::chrono::seconds(1);

// Rounded up: never more than the rate.
Duration CostOf(int64_t count, int64_t per_second) {
  constexpr int64_t kMicros = 1'000'000;
  const int64_t whole = count / per_second, rest = count % per_second;
  return Duration(whole * kMicros + (rest * kMicros + per_second - 1) / per_second);
}

// How long the bucket is in debt.
Duration Wait(SteadyInstant full_at, int64_t per_second, SteadyInstant now) {
  if (per_second == 0 || full_at <= now + kBurst) return Duration::zero();
  return std::chrono::duration_cast<Duration>(full_at - now - kBurst) + Duration(1);
}

}  // namespace

std::optional<KeyBudgets::Refusal> KeyBudgets::Take(std::string_view key_id, const storage::KeyLimits& limits,
                                                    int64_t messages, int64_t bytes, SteadyInstant now) {
  if (limits.messages_per_second == 0 && limits.bytes_per_second == 0) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (budgets_.size() >= kSweptAt) {
    std::erase_if(budgets_, [&](const auto& item) { return item.second.messages <= now && item.second.bytes <= now; });
  }
  const auto found = budgets_.find(key_id);
  Budget& budget = found != budgets_.end() ? found->second : budgets_[std::string(key_id)];
  const Duration for_messages = Wait(budget.messages, limits.messages_per_second, now);
  const Duration for_bytes = Wait(budget.bytes, limits.bytes_per_second, now);
  if (for_messages > Duration::zero() || for_bytes > Duration::zero()) {
    if (for_messages >= for_bytes) return Refusal{"messages", limits.messages_per_second, for_messages};
    return Refusal{"bytes", limits.bytes_per_second, for_bytes};
  }
  if (limits.messages_per_second > 0) {
    budget.messages = std::max(budget.messages, now) + CostOf(messages, limits.messages_per_second);
  }
  if (limits.bytes_per_second > 0) budget.bytes = std::max(budget.bytes, now) + CostOf(bytes, limits.bytes_per_second);
  return std::nullopt;
}

}  // namespace sluice::ingest

#include "storage/suppression_set.h"

#include <mutex>

#include "absl/hash/hash.h"
#include "base/status.h"
#include "base/text.h"

namespace sluice::storage {
namespace {

constexpr int kPage = 20'000;
// Half of what a removal is remembered for.
constexpr auto kLongestPause = std::chrono::hours(12);

// Another one in each process; zero for all tenants.
uint64_t SaltOf(std::string_view tenant) {
  return tenant.empty() ? 0 : absl::HashOf(AbslView(tenant)) | 1;
}

uint64_t PrefixOf(const AddressHash& hash) {
  uint64_t prefix = 0;
  for (size_t i = 0; i < 8; ++i) prefix = prefix << 8 | hash[i];
  return prefix;
}

}  // namespace

bool SuppressionSet::ContainsKey(uint64_t key) const {
  const Part& part = PartOf(key);
  const std::shared_lock lock(part.mutex);
  return part.keys.contains(key);
}

bool SuppressionSet::Contains(std::string_view tenant, std::string_view address) const {
  if (size_.load(std::memory_order_relaxed) == 0) return false;
  const uint64_t prefix = PrefixOf(HashAddress(address));
  return ContainsKey(prefix) || ContainsKey(prefix ^ SaltOf(tenant));
}

void SuppressionSet::Apply(const SuppressionChange& change) {
  const uint64_t key = change.hash_prefix ^ SaltOf(change.tenant);
  Part& part = parts_[key >> 58];
  const std::unique_lock lock(part.mutex);
  if (change.removed) {
    size_ -= static_cast<int64_t>(part.keys.erase(key));
  } else if (part.keys.insert(key).second) {
    ++size_;
  }
}

void SuppressionSet::Adopt(SuppressionSet& fresh) {
  for (size_t i = 0; i < kParts; ++i) {
    const std::unique_lock lock(parts_[i].mutex);
    parts_[i].keys.swap(fresh.parts_[i].keys);
  }
  size_ = fresh.size_.load();
  version_ = fresh.version_;
}

absl::Status SuppressionSet::Follow(SuppressionStore& store, SteadyInstant now) {
  if (is_loaded_ && now - followed_at_ > kLongestPause) {
    SuppressionSet fresh;
    RETURN_IF_ERROR(fresh.Follow(store, now));
    Adopt(fresh);
  }
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<SuppressionChange> changes,
                     store.ChangesAfter(version_, kPage));
    for (const SuppressionChange& change : changes) Apply(change);
    if (!changes.empty()) version_ = changes.back().version;
    if (changes.size() < kPage) break;
  }
  followed_at_ = now;
  is_loaded_ = true;
  return absl::OkStatus();
}

}  // namespace sluice::storage

// Suppressions in memory, with the contract of storage::SuppressionStore.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>

#include "storage/suppression_store.h"

namespace sluice::testing {

class FakeSuppressionStore final : public storage::SuppressionStore {
 public:
  absl::StatusOr<int> Add(const std::vector<Suppression>& suppressions) override {
    const std::lock_guard lock(mutex_);
    int added = 0;
    for (const Suppression& one : suppressions) {
      Row& row = rows_[{one.tenant, HashAddress(one.address)}];
      const Suppression& old = row.stored.suppression;
      const bool longer = old.expires_at && (!one.expires_at || *one.expires_at > *old.expires_at);
      if (row.version != 0 && !row.removed && !longer) continue;
      row = {{one, HashAddress(one.address)}, ++version_, false};
      ++added;
    }
    return added;
  }
  absl::StatusOr<int> Remove(const std::vector<std::pair<std::string, std::string>>& suppressions,
                             Instant) override {
    const std::lock_guard lock(mutex_);
    int removed = 0;
    for (const auto& [tenant, address] : suppressions) {
      const auto it = rows_.find({tenant, HashAddress(address)});
      if (it == rows_.end() || it->second.removed) continue;
      it->second.removed = true;
      it->second.version = ++version_;
      ++removed;
    }
    return removed;
  }
  absl::StatusOr<int> Erase(const std::vector<std::string>& addresses) override {
    const std::lock_guard lock(mutex_);
    int erased = 0;
    for (auto& [key, row] : rows_) {
      for (const std::string& address : addresses) {
        if (key.second != HashAddress(address)) continue;
        row.stored.suppression.address.clear();
        ++erased;
      }
    }
    return erased;
  }
  absl::StatusOr<std::vector<storage::StoredSuppression>> List(
      const std::string& tenant, const std::string& address, const storage::SuppressionMark& after,
      int limit) override {
    const std::lock_guard lock(mutex_);
    std::vector<storage::StoredSuppression> out;
    const auto mark = [](const storage::StoredSuppression& one) {
      return std::tuple(one.suppression.tenant, one.suppression.address, one.hash);
    };
    for (const auto& [key, row] : rows_) {
      if (row.removed || (!tenant.empty() && key.first != tenant)) continue;
      if (!address.empty() && key.second != HashAddress(address)) continue;
      if (mark(row.stored) > std::tuple(after.tenant, after.address, after.hash)) {
        out.push_back(row.stored);
      }
    }
    std::sort(out.begin(), out.end(), [&](auto& a, auto& b) { return mark(a) < mark(b); });
    if (out.size() > static_cast<size_t>(limit)) out.resize(static_cast<size_t>(limit));
    return out;
  }
  absl::StatusOr<std::vector<storage::StoredSuppression>> Find(const std::string& address) override {
    return List("", address, {}, 1'000);
  }
  absl::StatusOr<std::vector<storage::SuppressionChange>> ChangesAfter(int64_t version,
                                                                       int limit) override {
    const std::lock_guard lock(mutex_);
    if (!failure.ok()) return failure;
    std::vector<storage::SuppressionChange> out;
    for (const auto& [key, row] : rows_) {
      if (row.version <= version) continue;
      uint64_t prefix = 0;
      for (size_t i = 0; i < 8; ++i) prefix = prefix << 8 | key.second[i];
      out.push_back({row.version, prefix, key.first, row.removed});
    }
    std::sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.version < b.version; });
    if (out.size() > static_cast<size_t>(limit)) out.resize(static_cast<size_t>(limit));
    return out;
  }
  absl::StatusOr<int> Expire(Instant now) override {
    const std::lock_guard lock(mutex_);
    int expired = 0;
    for (auto& [key, row] : rows_) {
      const auto& at = row.stored.suppression.expires_at;
      if (row.removed || !at || *at > now) continue;
      row.removed = true;
      row.version = ++version_;
      ++expired;
    }
    return expired;
  }

  absl::Status failure;  // What ChangesAfter answers instead.

 private:
  struct Row {
    storage::StoredSuppression stored;
    int64_t version = 0;
    bool removed = false;
  };
  std::mutex mutex_;
  std::map<std::pair<std::string, AddressHash>, Row> rows_;
  int64_t version_ = 0;
};

}  // namespace sluice::testing

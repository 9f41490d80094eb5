// Operations in memory, as PostgreSQL would keep them.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>

#include "base/text.h"
#include "storage/operation_store.h"

namespace sluice::testing {

class FakeOperationStore final : public storage::OperationStore {
 public:
  absl::StatusOr<storage::OperationRow> Insert(const storage::OperationRow& operation) override {
    const std::lock_guard lock(mutex_);
    storage::OperationRow row = operation;
    row.id = static_cast<int64_t>(rows_.size()) + 1;
    return rows_[row.id] = row;
  }
  absl::StatusOr<storage::OperationRow> Get(int64_t id) override {
    const std::lock_guard lock(mutex_);
    const auto it = rows_.find(id);
    if (it == rows_.end()) return absl::NotFoundError(Cat("there is no operation ", id));
    return it->second;
  }
  absl::StatusOr<std::vector<storage::OperationRow>> List(int64_t before, int limit) override {
    const std::lock_guard lock(mutex_);
    std::vector<storage::OperationRow> out;
    for (auto it = rows_.rbegin(); it != rows_.rend() && static_cast<int>(out.size()) < limit; ++it) {
      if (before == 0 || it->first < before) out.push_back(it->second);
    }
    return out;
  }
  absl::StatusOr<std::vector<storage::OperationRow>> Open(int) override { return std::vector<storage::OperationRow>(); }
  absl::Status Stop(int64_t id) override {
    const std::lock_guard lock(mutex_);
    rows_[id].stopped = true;
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<storage::OperationShard>> Shards(int64_t) override {
    return std::vector<storage::OperationShard>();
  }
  absl::Status SetProgress(int64_t, const std::vector<storage::OperationShard>&) override { return absl::OkStatus(); }
  absl::Status EndFinished() override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<std::string>> DomainsOf(const std::string&, const std::string&) override {
    return std::vector<std::string>();
  }

 private:
  std::mutex mutex_;
  std::map<int64_t, storage::OperationRow> rows_;
};

}  // namespace sluice::testing

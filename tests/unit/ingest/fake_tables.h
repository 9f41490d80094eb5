// The small tables in memory: entries, events, keys, policy, leases. Not thread-safe unless said.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "storage/entry_store.h"
#include "storage/event_store.h"
#include "storage/key_store.h"
#include "storage/policy_store.h"
#include "storage/shard_lease.h"

namespace sluice::ingest {

class FakeEntries final : public storage::EntryStore {
 public:
  absl::StatusOr<std::vector<storage::QueueEntryRow>> ByMessage(int64_t message_id) override {
    std::vector<storage::QueueEntryRow> found;
    for (const storage::QueueEntryRow& row : rows) {
      if (row.message_id == message_id) found.push_back(row);
    }
    return found;
  }
  absl::StatusOr<std::vector<storage::QueueEntryRow>> List(const storage::QueueFilter&, int64_t,
                                                           int) override {
    return rows;
  }
  absl::StatusOr<std::vector<storage::QueueGroup>> Summarize(const storage::QueueFilter&,
                                                             const std::string&, int) override {
    return absl::UnimplementedError("not needed");
  }
  void Add(int64_t id, int64_t message_id, std::string tenant, std::string recipient) {
    storage::QueueEntryRow row;
    row.id = id;
    row.message_id = message_id;
    row.tenant = std::move(tenant);
    row.recipient = std::move(recipient);
    rows.push_back(std::move(row));
  }

  std::vector<storage::QueueEntryRow> rows;
};

// Thread-safe.
class FakeEvents final : public storage::EventStore {
 public:
  absl::StatusOr<storage::EventPage> Read(int shard, int64_t after_seq, int limit,
                                          const std::string& tenant) override {
    const std::lock_guard lock(mutex_);
    ++reads_;
    storage::EventPage page{.events = {}, .scanned_to = after_seq};
    if (after_seq + 1 < oldest_[shard])
      return absl::OutOfRangeError("events after the cursor are no longer kept");
    for (const storage::StoredEvent& event : events_) {
      if (event.shard != shard || event.seq <= after_seq || limit-- <= 0) continue;
      page.scanned_to = event.seq;
      if (tenant.empty() || event.tenant == tenant) page.events.push_back(event);
    }
    return page;
  }
  absl::StatusOr<std::vector<storage::StoredEvent>> ByMessage(int64_t message_id,
                                                              int limit) override {
    const std::lock_guard lock(mutex_);
    std::vector<storage::StoredEvent> found;
    for (const storage::StoredEvent& event : events_) {
      if (event.message_id == message_id && limit-- > 0) found.push_back(event);
    }
    return found;
  }
  absl::StatusOr<std::vector<storage::ShardSeq>> LastSeqs() override {
    const std::lock_guard lock(mutex_);
    return std::vector<storage::ShardSeq>(last_.begin(), last_.end());
  }
  absl::StatusOr<std::vector<storage::ShardSeq>> OldestSeqs() override {
    const std::lock_guard lock(mutex_);
    std::vector<storage::ShardSeq> oldest;
    for (const auto& [shard, last] : last_)
      oldest.emplace_back(shard, std::max<int64_t>(1, oldest_[shard]));
    return oldest;
  }
  // Numbers it.
  void Add(int shard, std::string tenant, std::string recipient, std::string kind = "delivered",
           int64_t message_id = 1) {
    const std::lock_guard lock(mutex_);
    storage::StoredEvent event;
    event.shard = shard;
    event.seq = ++last_[shard];
    event.tenant = std::move(tenant);
    event.recipient = std::move(recipient);
    event.kind = std::move(kind);
    event.message_id = message_id;
    event.stream = "news";
    events_.push_back(std::move(event));
  }
  void AddShard(int shard) {
    const std::lock_guard lock(mutex_);
    last_.emplace(shard, 0);
  }
  void DropBelow(int shard, int64_t seq) {
    const std::lock_guard lock(mutex_);
    oldest_[shard] = seq;
    std::erase_if(events_,
                  [&](const auto& event) { return event.shard == shard && event.seq < seq; });
  }
  int reads() const {
    const std::lock_guard lock(mutex_);
    return reads_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<storage::StoredEvent> events_;
  std::map<int, int64_t> last_;
  std::map<int, int64_t> oldest_;
  int reads_ = 0;
};

class FakeKeys final : public storage::KeyStore {
 public:
  absl::Status Create(const storage::ApiKey& key) override {
    keys.push_back(key);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<storage::ApiKey>> List(const std::string&, const std::string&,
                                                    int) override {
    return keys;
  }
  absl::StatusOr<storage::ApiKey> Revoke(const std::string&, Instant) override {
    return absl::UnimplementedError("not needed");
  }
  absl::StatusOr<storage::ApiKey> SetLimits(const std::string&, const storage::KeyLimits&) override {
    return absl::UnimplementedError("not needed");
  }
  absl::StatusOr<std::vector<storage::ApiKey>> LoadAll() override {
    if (!failure.ok()) return failure;
    return keys;
  }

  std::vector<storage::ApiKey> keys;
  absl::Status failure;
};

class FakePolicies final : public storage::PolicyStore {
 public:
  absl::StatusOr<std::optional<storage::StoredPolicy>> Current() override {
    ++reads;
    if (revision == 0) return std::nullopt;
    return storage::StoredPolicy{.revision = {.revision = revision, .author = "", .reason = ""},
                                 .document_json = json};
  }
  absl::StatusOr<int64_t> CurrentRevision() override { return revision; }
  absl::StatusOr<int64_t> Apply(const storage::PolicyChange&, Instant) override {
    return absl::UnimplementedError("not needed");
  }
  absl::StatusOr<std::vector<storage::PolicyRevision>> History(int64_t, int) override {
    return absl::UnimplementedError("not needed");
  }
  absl::StatusOr<storage::StoredPolicy> Get(int64_t) override {
    return absl::UnimplementedError("not needed");
  }

  int64_t revision = 0;
  std::string json;
  int reads = 0;
};

struct FakeLeaseTable {
  std::vector<storage::Lease> leases;
  Duration skew{0};
  absl::Status failure;
  int opened = 0;
};

class FakeLeases final : public storage::ShardLeases {
 public:
  explicit FakeLeases(FakeLeaseTable& table) : table_(table) { ++table_.opened; }
  absl::StatusOr<std::vector<storage::Lease>> List() override {
    if (!table_.failure.ok()) return table_.failure;
    return table_.leases;
  }
  absl::StatusOr<std::vector<storage::Lease>> Take(const std::vector<int>&, const std::string&,
                                                   const std::string&, Duration, uint32_t,
                                                   int) override {
    return absl::UnimplementedError("not needed");
  }
  absl::StatusOr<std::vector<int>> Renew(const std::vector<std::pair<int, int64_t>>&,
                                         const std::string&, Duration) override {
    return absl::UnimplementedError("not needed");
  }
  absl::Status Release(const std::vector<std::pair<int, int64_t>>&, const std::string&) override {
    return absl::UnimplementedError("not needed");
  }
  absl::StatusOr<Duration> Skew(Instant) override {
    if (!table_.failure.ok()) return table_.failure;
    return table_.skew;
  }

 private:
  FakeLeaseTable& table_;
};

}  // namespace sluice::ingest

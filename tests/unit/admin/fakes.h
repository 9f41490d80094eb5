// Stores and live state in memory, with the contracts of their interfaces.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>

#include "net/dns.h"
#include "scheduler/admin/live_state.h"
#include "storage/assignment_store.h"
#include "storage/audit_store.h"
#include "storage/constraint_store.h"
#include "storage/entry_store.h"
#include "storage/key_store.h"
#include "storage/node_store.h"
#include "storage/policy_store.h"

namespace sluice::testing {

class FakePolicyStore final : public storage::PolicyStore {
 public:
  absl::StatusOr<std::optional<storage::StoredPolicy>> Current() override {
    const std::lock_guard lock(mutex_);
    if (!failure.ok()) return failure;
    if (all_.empty()) return std::optional<storage::StoredPolicy>();
    return std::optional(all_.back());
  }
  absl::StatusOr<int64_t> CurrentRevision() override {
    const std::lock_guard lock(mutex_);
    if (!failure.ok()) return failure;
    return static_cast<int64_t>(all_.size());
  }
  absl::StatusOr<int64_t> Apply(const storage::PolicyChange& change, Instant now) override {
    const std::lock_guard lock(mutex_);
    if (!failure.ok()) return failure;
    const auto current = static_cast<int64_t>(all_.size());
    if (change.base_revision != 0 && change.base_revision != current) {
      return absl::AbortedError("another revision is current");
    }
    all_.push_back({{current + 1, now, change.author, change.reason}, change.document_json});
    last = change;
    return current + 1;
  }
  absl::StatusOr<std::vector<storage::PolicyRevision>> History(int64_t before, int limit) override {
    const std::lock_guard lock(mutex_);
    std::vector<storage::PolicyRevision> out;
    for (auto it = all_.rbegin(); it != all_.rend() && static_cast<int>(out.size()) < limit; ++it) {
      if (before == 0 || it->revision.revision < before) out.push_back(it->revision);
    }
    return out;
  }
  absl::StatusOr<storage::StoredPolicy> Get(int64_t revision) override {
    const std::lock_guard lock(mutex_);
    if (revision < 1 || revision > static_cast<int64_t>(all_.size())) {
      return absl::NotFoundError("no such revision");
    }
    return all_[static_cast<size_t>(revision - 1)];
  }
  absl::Status failure;
  storage::PolicyChange last;

 private:
  std::mutex mutex_;
  std::vector<storage::StoredPolicy> all_;
};

class FakeKeyStore final : public storage::KeyStore {
 public:
  absl::Status Create(const storage::ApiKey& key) override {
    const std::lock_guard lock(mutex_);
    if (collisions > 0) {
      --collisions;
      return absl::AlreadyExistsError("taken");
    }
    return keys.emplace(key.id, key).second ? absl::OkStatus() : absl::AlreadyExistsError("taken");
  }
  absl::StatusOr<std::vector<storage::ApiKey>> List(const std::string& tenant,
                                                    const std::string& after_id,
                                                    int limit) override {
    const std::lock_guard lock(mutex_);
    std::vector<storage::ApiKey> out;
    for (const auto& [id, key] : keys) {
      if (id > after_id && (tenant.empty() || key.tenant == tenant) &&
          static_cast<int>(out.size()) < limit) {
        out.push_back(key);
      }
    }
    return out;
  }
  absl::StatusOr<storage::ApiKey> Revoke(const std::string& id, Instant now) override {
    const std::lock_guard lock(mutex_);
    const auto found = keys.find(id);
    if (found == keys.end()) return absl::NotFoundError("no such key");
    if (!found->second.revoked_at) found->second.revoked_at = now;
    return found->second;
  }
  absl::StatusOr<storage::ApiKey> SetLimits(const std::string& id, const storage::KeyLimits& limits) override {
    const std::lock_guard lock(mutex_);
    const auto found = keys.find(id);
    if (found == keys.end()) return absl::NotFoundError("no such key");
    found->second.limits = limits;
    return found->second;
  }
  absl::StatusOr<std::vector<storage::ApiKey>> LoadAll() override {
    return List("", "", 1'000'000);
  }

  std::map<std::string, storage::ApiKey> keys;
  int collisions = 0;

 private:
  std::mutex mutex_;
};

// mx.google.com for gmail.com, mx.<domain> for all others.
class FakeMxResolver final : public Resolver {
 public:
  void ResolveMx(std::string_view domain, MxCallback callback) override {
    MxAnswer answer;
    answer.status = DnsStatus::kOk;
    answer.hosts = {
        {.name = domain == "gmail.com" ? "mx.google.com" : "mx." + std::string(domain),
         .preference = 10}};
    callback(answer);
  }
  void ResolveAddresses(std::string_view, AddressFamily, AddressCallback callback) override {
    callback(AddressAnswer());
  }
};

class FakeConstraintStore final : public storage::ConstraintStore {
 public:
  absl::StatusOr<int64_t> Generation() override {
    const std::lock_guard lock(mutex_);
    return generation_;
  }
  absl::StatusOr<storage::ConstraintsInForce> List(Instant now) override {
    const std::lock_guard lock(mutex_);
    storage::ConstraintsInForce out{generation_, {}};
    for (const Constraint& row : rows_) {
      if (IsInForce(row, now)) out.constraints.push_back(row);
    }
    return out;
  }
  absl::StatusOr<storage::ConstraintChange> Put(ConstraintCause cause,
                                                const std::vector<Constraint>& given) override {
    const std::lock_guard lock(mutex_);
    storage::ConstraintChange change{++generation_, {}};
    for (Constraint row : given) {
      row.cause = cause;
      const auto same = std::find_if(rows_.begin(), rows_.end(), [&](const Constraint& c) {
        return c.cause == cause && c.rule == row.rule && c.scope == row.scope;
      });
      row.id = same == rows_.end() ? ++last_id_ : same->id;
      change.ids.push_back(row.id);
      if (same == rows_.end()) {
        rows_.push_back(row);
      } else {
        *same = row;
      }
    }
    return change;
  }
  absl::StatusOr<storage::ConstraintChange> End(ConstraintCause cause,
                                                const std::vector<int64_t>& ids) override {
    return Erase([&](const Constraint& row) {
      return row.cause == cause && std::find(ids.begin(), ids.end(), row.id) != ids.end();
    });
  }
  absl::StatusOr<storage::ConstraintChange> EndScope(ConstraintCause cause,
                                                     const Scope& scope) override {
    return Erase(
        [&](const Constraint& row) { return row.cause == cause && row.scope == scope; });
  }
  absl::Status Sweep(Instant) override { return absl::OkStatus(); }

 private:
  template <class Filter>
  storage::ConstraintChange Erase(const Filter& filter) {
    const std::lock_guard lock(mutex_);
    storage::ConstraintChange change;
    for (const Constraint& row : rows_) {
      if (filter(row)) change.ids.push_back(row.id);
    }
    std::erase_if(rows_, filter);
    change.generation = generation_ += change.ids.empty() ? 0 : 1;
    return change;
  }
  std::mutex mutex_;
  int64_t generation_ = 1, last_id_ = 0;
  std::vector<Constraint> rows_;
};

class FakeAuditStore final : public storage::AuditStore {
 public:
  absl::Status Append(const storage::AuditEntry& entry) override {
    const std::lock_guard lock(mutex_);
    if (!failure.ok()) return failure;
    entries.push_back(entry);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<storage::AuditEntry>> List(int64_t, int) override { return entries; }
  absl::Status failure;
  std::vector<storage::AuditEntry> entries;

 private:
  std::mutex mutex_;
};

// Answers what the test put there; only List is asked by the admin verbs.
class FakeAssignmentStore final : public storage::AssignmentStore {
 public:
  absl::StatusOr<std::vector<storage::SourceAssignment>> List() override { return assignments; }
  absl::StatusOr<std::vector<storage::SourceAssignment>> Claim(const std::string&,
                                                               const std::vector<std::string>&,
                                                               Duration) override {
    return absl::UnimplementedError("not asked by admin");
  }
  absl::StatusOr<std::vector<std::string>> Renew(
      const std::string&, const std::vector<std::pair<std::string, int64_t>>&, Duration) override {
    return absl::UnimplementedError("not asked by admin");
  }
  absl::StatusOr<bool> SetState(const std::string&, int64_t, const std::string&,
                                const std::string&) override {
    return absl::UnimplementedError("not asked by admin");
  }
  absl::Status Release(const std::vector<std::pair<std::string, int64_t>>&) override {
    return absl::UnimplementedError("not asked by admin");
  }
  std::vector<storage::SourceAssignment> assignments;
};

class FakeEntryStore final : public storage::EntryStore {
 public:
  absl::StatusOr<std::vector<storage::QueueEntryRow>> ByMessage(int64_t) override {
    return absl::UnimplementedError("not asked by admin");
  }
  absl::StatusOr<std::vector<storage::QueueEntryRow>> List(const storage::QueueFilter&, int64_t,
                                                           int) override {
    return absl::UnimplementedError("not asked by admin");
  }
  absl::StatusOr<std::vector<storage::QueueGroup>> Summarize(const storage::QueueFilter&,
                                                             const std::string& group_by,
                                                             int) override {
    if (group_by != "provider") return absl::InvalidArgumentError("group_by");
    return groups;
  }
  std::vector<storage::QueueGroup> groups;
};

class FakeNodeStore final : public storage::NodeStore {
 public:
  absl::Status Beat(const storage::ServiceNode&) override {
    return absl::UnimplementedError("not asked by admin");
  }
  absl::Status Leave(const std::string&) override {
    return absl::UnimplementedError("not asked by admin");
  }
  absl::StatusOr<Instant> DatabaseNow() override {
    return absl::UnimplementedError("not asked by admin");
  }
  absl::StatusOr<std::vector<storage::ServiceNode>> Alive() override { return nodes; }
  std::vector<storage::ServiceNode> nodes;
};

class FakeLiveState final : public scheduler::LiveState {
 public:
  scheduler::LiveSnapshot Snapshot() override { return snapshot; }
  std::vector<std::string> AwaitPolicyRevision(int64_t revision, Duration) override {
    awaited = revision;
    return missing;
  }
  std::vector<std::string> AwaitConstraints(int64_t generation, Duration) override {
    awaited = generation;
    return missing;
  }
  std::vector<std::string> AwaitIngests(Duration) override { return {}; }
  bool IsControlOwner() override { return control; }
  std::string ControlEndpoint() override { return endpoint; }

  scheduler::LiveSnapshot snapshot;
  std::vector<std::string> missing;
  int64_t awaited = 0;
  std::atomic<bool> control = true;
  std::string endpoint;
};

}  // namespace sluice::testing

// Health, signals and sums in memory, with the contracts of their interfaces.
#pragma once

#include <map>

#include "storage/event_tally.h"
#include "storage/health_store.h"
#include "storage/signal_store.h"
#include "storage/token_store.h"

namespace sluice::testing {

// Not thread-safe.
class FakeHealthStore final : public storage::HealthStore {
 public:
  absl::StatusOr<std::vector<storage::StoredHealth>> List() override {
    std::vector<storage::StoredHealth> out;
    for (const auto& [subject, row] : rows) out.push_back(row);
    return out;
  }
  absl::Status Save(const std::vector<storage::StoredHealth>& health, const std::vector<storage::InboxNote>& told) override {
    if (!failure.ok()) return failure;
    for (const storage::StoredHealth& one : health) rows[one.subject] = one;
    notes.insert(notes.end(), told.begin(), told.end());
    return absl::OkStatus();
  }
  absl::Status Forget(const std::vector<HealthSubject>& subjects) override {
    for (const HealthSubject& subject : subjects) rows.erase(subject);
    return absl::OkStatus();
  }

  std::map<HealthSubject, storage::StoredHealth> rows;
  std::vector<storage::InboxNote> notes;
  absl::Status failure;
};

// Not thread-safe.
class FakeSignalStore final : public storage::SignalStore {
 public:
  absl::StatusOr<std::vector<storage::StoredSignal>> List(bool) override {
    std::vector<storage::StoredSignal> out;
    for (const auto& [key, row] : rows) out.push_back(row);
    return out;
  }
  absl::Status Save(const std::vector<storage::StoredSignal>& signals, const std::vector<storage::InboxNote>& told) override {
    for (const storage::StoredSignal& one : signals) rows[KeyOf(one)] = one;
    notes.insert(notes.end(), told.begin(), told.end());
    return absl::OkStatus();
  }
  absl::Status Forget(const std::vector<storage::StoredSignal>& signals) override {
    for (const storage::StoredSignal& one : signals) rows.erase(KeyOf(one));
    return absl::OkStatus();
  }

  static std::string KeyOf(const storage::StoredSignal& s) {
    return s.source + "|" + s.sender_domain + "|" + s.provider + "|" + s.name;
  }
  std::map<std::string, storage::StoredSignal> rows;
  std::vector<storage::InboxNote> notes;
};

// Not thread-safe.
class FakeTokenStore final : public storage::TokenStore {
 public:
  absl::StatusOr<std::optional<storage::RotatedToken>> Find(const std::string& name) override {
    if (!failure.ok()) return failure;
    const auto found = rows.find(name);
    return found == rows.end() ? std::nullopt : std::optional(found->second);
  }
  absl::Status Put(const std::string& name, const storage::RotatedToken& token) override {
    if (!failure.ok() || !put_failure.ok()) return failure.ok() ? put_failure : failure;
    rows[name] = token;
    return absl::OkStatus();
  }

  std::map<std::string, storage::RotatedToken> rows;
  absl::Status failure, put_failure;
};

// Not thread-safe.
class FakeEventTally final : public storage::EventTally {
 public:
  absl::StatusOr<storage::Tally> Take(const std::map<std::string, SuppressionLife>&, int) override { return storage::Tally(); }
  absl::StatusOr<std::vector<storage::TallyCount>> Read(Instant from, const std::string& source, const std::string& provider,
                                                        bool) override {
    std::vector<storage::TallyCount> out;
    for (const storage::TallyCount& count : counts) {
      if (count.last_at >= from && (source.empty() || count.source == source) && (provider.empty() || count.provider == provider)) {
        out.push_back(count);
      }
    }
    return out;
  }
  absl::Status Forget(Instant) override { return absl::OkStatus(); }

  std::vector<storage::TallyCount> counts;
};

}  // namespace sluice::testing

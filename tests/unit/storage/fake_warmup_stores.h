// What control remembers of warmup, in memory.
#pragma once

#include <algorithm>
#include <vector>

#include "storage/warmup_ledger.h"
#include "storage/warmup_store.h"

namespace sluice::testing {

class FakeWarmupLedger final : public storage::WarmupLedger {
 public:
  storage::LedgerDay today;
  std::vector<storage::LedgerRow> rows;

  absl::StatusOr<storage::LedgerDay> Today() override { return today; }
  absl::StatusOr<storage::GrantAnswer> Draw(const std::vector<storage::GrantRequest>& requests) override {
    return storage::GrantAnswer{.day = today, .grants = std::vector<storage::Granted>(requests.size())};
  }
  absl::Status Record(const std::vector<storage::LedgerCounts>&) override { return absl::OkStatus(); }
  absl::Status Open(const std::vector<storage::LedgerRow>& opened) override {
    rows.insert(rows.end(), opened.begin(), opened.end());
    return absl::OkStatus();
  }
  struct Limited {
    std::string provider;
    std::optional<int64_t> cap;
    Instant stopped_until{};
  };
  std::vector<Limited> limits;
  absl::Status Limit(int64_t, const std::string&, const std::string& provider, std::optional<int64_t> cap, Instant stopped_until) override {
    limits.push_back({provider, cap, stopped_until});
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<storage::LedgerRow>> Rows(const std::string& address, int64_t first, int64_t last) override {
    std::vector<storage::LedgerRow> found;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(found), [&](const storage::LedgerRow& row) {
      return (address.empty() || row.address == address) && row.day >= first && row.day <= last;
    });
    return found;
  }
  absl::Status Trim(int64_t) override { return absl::OkStatus(); }
  absl::Status SetCalendar(const std::string&, Duration) override { return absl::OkStatus(); }
};

class FakeWarmupStore final : public storage::WarmupStore {
 public:
  std::vector<storage::WarmupStateRow> states;
  int64_t stamp = 1;
  std::vector<storage::WarmupPlanRow> plans;
  std::vector<storage::WarmupOpinionRow> opinions;
  std::vector<storage::WarmupEventRow> events;
  std::vector<storage::WarmupWaitingRow> waiting;

  absl::StatusOr<std::vector<storage::WarmupStateRow>> States() override { return states; }
  absl::StatusOr<int64_t> Stamp() override { return stamp; }
  absl::Status Write(const std::vector<storage::WarmupChange>& changes) override {
    for (const storage::WarmupChange& change : changes) {
      const auto found = std::find_if(states.begin(), states.end(), [&](const storage::WarmupStateRow& row) {
        return row.address == change.state.address && row.provider == change.state.provider;
      });
      (found == states.end() ? states.emplace_back() : *found) = change.state;
      ++stamp;
      if (change.event) events.push_back(*change.event);
    }
    return absl::OkStatus();
  }
  absl::StatusOr<storage::WarmupPlanRow> Pin(const storage::WarmupPlanRow& plan, Instant) override { return plan; }
  absl::StatusOr<std::vector<storage::WarmupPlanRow>> Plans() override { return plans; }
  absl::Status SetWaiting(const std::string&, const std::vector<storage::WarmupWaitingRow>& rows) override {
    waiting = rows;
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<storage::WarmupWaitingRow>> Waiting() override { return waiting; }
  absl::StatusOr<std::vector<storage::WarmupOpinionRow>> Opinions(Instant) override { return opinions; }
  absl::StatusOr<std::vector<storage::WarmupEventRow>> History(const std::string&, const std::string&, int64_t, int) override {
    return std::vector<storage::WarmupEventRow>();
  }
};

}  // namespace sluice::testing

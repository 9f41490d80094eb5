// What each address may send to each provider on a day. Every RCPT command of a warming source stands on one grant of this ledger;
// owners draw grants, give back those that they have no use for, and count what became of the others. The day is the ledger's own
// (zone or test length), by the database's clock.
//
// Locks: rows of warmup_ledger are taken in the order (address, provider, day).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::storage {

class ConnectionPool;

struct LedgerDay {
  int64_t day = 0;  // Days since 1970; of a shortened day, its number.
  Instant starts_at{}, ends_at{};
  Instant now{};  // The database's.
};

struct GrantRequest {
  std::string address = {}, provider = {};  // A column of the plan, never `*`.
  int64_t wanted = 0;
};
struct LedgerPace {
  std::optional<int64_t> cap = {};
  int64_t used = 0;  // After this statement.
  Instant opens_at{}, closes_at{}, stopped_until{};
};
// Answer to one request, in its order.
struct Granted {
  int64_t count = 0;
  bool is_open = false;  // The day has rows for it; else nothing below is set.
  LedgerPace provider = {}, total = {};
};
struct GrantAnswer {
  LedgerDay day;
  std::vector<Granted> grants;
};

// What is added to a row, and to the total of its address and day.
struct LedgerCounts {
  int64_t day = 0;
  std::string address = {}, provider = {};
  int64_t returned = 0, attempted = 0, accepted = 0, deferred = 0, throttled = 0, bounced = 0, blocked = 0, complained = 0;
};

struct LedgerRow {
  int64_t day = 0;
  std::string address = {}, provider = {};
  std::optional<int64_t> cap = {};
  Instant opens_at{}, closes_at{}, stopped_until{};
  int64_t granted = 0, returned = 0, attempted = 0, accepted = 0, deferred = 0, throttled = 0, bounced = 0, blocked = 0,
          complained = 0;
};

// Thread-safe.
class WarmupLedger {
 public:
  virtual ~WarmupLedger() = default;
  virtual absl::StatusOr<LedgerDay> Today() = 0;
  // One statement gives what provider row, total row and their pace allow, all or part of what is wanted. Where the total does not
  // suffice for all of an address's requests, the earlier ones are served first. Unknown = the commit is in doubt: what was granted
  // then counts as spent.
  virtual absl::StatusOr<GrantAnswer> Draw(const std::vector<GrantRequest>& requests) = 0;
  // Adds to rows that exist; never gives back more than was granted.
  virtual absl::Status Record(const std::vector<LedgerCounts>& counts) = 0;
  // Makes rows that do not exist yet (caps and hours of those that do stay).
  virtual absl::Status Open(const std::vector<LedgerRow>& rows) = 0;
  // Lowers a cap of a day, never raises one; nothing is granted before `stopped_until`, which may come nearer again.
  virtual absl::Status Limit(int64_t day, const std::string& address, const std::string& provider, std::optional<int64_t> cap,
                             Instant stopped_until) = 0;
  // Rows of days from `first` to `last`, in order of day; of one address, or of all when it is empty.
  virtual absl::StatusOr<std::vector<LedgerRow>> Rows(const std::string& address, int64_t first, int64_t last) = 0;
  // Days before are deleted.
  virtual absl::Status Trim(int64_t before) = 0;
  // Zone of the calendar; `day_length` zero = calendar days, else a test's.
  virtual absl::Status SetCalendar(const std::string& zone, Duration day_length) = 0;
};
std::unique_ptr<WarmupLedger> MakeWarmupLedger(ConnectionPool& pool);

}  // namespace sluice::storage

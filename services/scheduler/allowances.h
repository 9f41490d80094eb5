// What warming sources may still send today, as this scheduler holds it: grants drawn from the ledger in small chunks and not yet
// spent. No I/O: what is to be drawn and recorded is taken from here by the core, and the answers are given back.
//
//   Look ─▶ kAsking ─▶ Want ─▶ (draw) ─▶ kReady ─▶ Take ─▶ Conclude: spent (an RCPT was sent) or returned (it was not)
//              │                            └─▶ idle or the day's end: returned to the ledger
//              └─▶ kNone until the pace allows more, the ledger answers again, or the day changes
//
// Draws on demand only: for whoever waits for the answer, and when the pace allows more, for mail that waits for an allowance. What is
// drawn ahead, and what the pace held back, is drawn at times that all accounts share: a statement costs much more than a row of it. A
// grant that nobody takes goes back within two seconds, so that somebody else may have it; later where the day has plenty.
//
// Fails closed: a source that the policy warms up has nothing until control has said where it stands, and nothing while the ledger
// is silent. A grant belongs to its day: past `not_after` it is void. What became of it is counted on the account it was drawn for,
// whatever the policy says of its source meanwhile; an account that no source needs is forgotten when nothing of it is in flight.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "base/clock.h"
#include "policy/warmup.h"
#include "storage/warmup_ledger.h"

namespace sluice::scheduler {

// Where one column of a source's plan stands, as control last said.
struct WarmupColumn {
  std::string provider;
  bool needs_grants = true;
  bool is_stopped = false;  // Suspended: there is nothing to ask for.
  int64_t lowered = 0;      // Rises when what was drawn must be given up.
  friend bool operator==(const WarmupColumn&, const WarmupColumn&) = default;
};
struct WarmingSource {
  uint16_t source = 0;
  std::string address;
  std::vector<WarmupColumn> columns;  // Empty = nobody has said: nothing may be sent.
};

enum class Allowance : uint8_t { kFree, kReady, kAsking, kNone };

inline constexpr uint32_t kNoAccount = UINT32_MAX;

struct Grant {
  int64_t day = 0;  // 0 = none was needed.
  Instant not_after{};
  uint32_t account = kNoAccount;  // Where its outcome is counted; none = the source does not warm up.
};

// Not thread-safe.
class Allowances {
 public:
  // Whether mail that waits for an allowance would go by `source` to the provider of this number.
  using Waits = absl::FunctionRef<bool(uint16_t source, uint32_t provider)>;

  // The sources that warm up; those left out send freely. Answers the sources whose grants were given up (lowered caps): their mail
  // that was not begun is to be recalled.
  std::vector<uint16_t> Set(const std::vector<WarmingSource>& sources, const storage::LedgerDay& day);
  // Some account is of no source that Set named.
  bool HasGone() const { return gone_ > 0; }
  size_t account_count() const { return accounts_.size(); }  // With those that may come again.
  // Forgets those, but for the accounts of what is still to be concluded. What they have to tell the ledger is not lost.
  void ForgetGone(const absl::flat_hash_set<uint32_t>& in_flight);
  bool IsWarming(uint16_t source) const { return source < warming_.size() && warming_[source]; }

  // Whether one entry may go by `source` to `provider` (a number and its name).
  Allowance Look(uint16_t source, uint32_t provider, std::string_view name, Instant now);
  // After Look has said kAsking: somebody waits for the answer.
  void Want(uint16_t source, uint32_t provider, Instant now);
  // After Look has said kReady or kFree.
  Grant Take(uint16_t source, uint32_t provider, Instant now);
  // Where attempts by `source` to `provider` are counted that are not known to stand on a grant.
  uint32_t AccountOf(uint16_t source, uint32_t provider, std::string_view name);
  // The same where it was looked at since Set; else none: a number alone does not tell the column.
  uint32_t KnownAccountOf(uint16_t source, uint32_t provider) const;
  const std::string& address(uint32_t account) const { return accounts_[account].address; }
  const std::string& column(uint32_t account) const { return accounts_[account].column; }
  // What became of it: `counts` has no day, address and provider; attempted 0 = the grant was not spent.
  void Conclude(uint32_t account, int64_t grant_day, const storage::LedgerCounts& counts, Instant now);

  // What is to be drawn now; each answered by OnDrawn or OnDrawFailed before more is asked.
  std::vector<storage::GrantRequest> TakeRequests(Instant now, Waits waits);
  // True when there is something new to send by.
  bool OnDrawn(const storage::GrantAnswer& answer, Instant now);
  void OnDrawFailed(Instant now);
  // What is to be recorded now; empty when there is nothing, or too soon. Given back with OnRecordFailed it comes again.
  std::vector<storage::LedgerCounts> TakeCounts(Instant now, bool all);
  void OnRecordFailed(std::vector<storage::LedgerCounts> counts);

  // Calls use(source, provider number, grants held) for each allowance that has grants.
  template <class Use>
  void ForEachReady(Instant now, Use use) const;
  // The ledger takes longer than anybody should wait for.
  bool IsLate(Instant now) const { return asked_at_.has_value() && now - *asked_at_ >= kPatience; }

 private:
  static constexpr Duration kPatience = std::chrono::milliseconds(200);  // A ledger slower than this stalls nobody.
  static constexpr Duration kIdle = std::chrono::seconds(1), kIdleInPlenty = std::chrono::seconds(30);
  static constexpr Duration kGather = std::chrono::milliseconds(500);
  static constexpr Duration kAskAgain = std::chrono::seconds(1);
  static constexpr Duration kAskAtLatest = std::chrono::minutes(1);  // What others gave back is there before the pace says so.
  static constexpr Duration kRecordEvery = std::chrono::seconds(1);
  static constexpr Duration kReturnEvery = std::chrono::milliseconds(200);
  static constexpr size_t kMostRequests = 1'000;

  struct Account {
    std::string address = {}, column = {};
    uint16_t source = 0;
    bool is_ours = false;  // Of the sources of Set.
    bool is_known = true;  // Control has said where it stands.
    bool needs_grants = true, is_stopped = false;
    bool is_wanted = false;
    int64_t lowered = -1;
    int64_t held = 0;
    Grant grant = {};  // Of those held.
    int64_t chunk = 1;
    std::optional<Instant> waiting_since = {};  // Somebody asked and has no answer yet.
    Instant none_until{};
    Instant used_at{};
    Duration idle = kIdle;  // Unused so long, what is held goes back.
    storage::LedgerCounts counts = {};  // Of counts.day, not yet recorded.
    std::vector<uint32_t> providers = {};
  };
  Account& AccountFor(const WarmingSource& source, std::string_view column);
  Account* Find(uint16_t source, uint32_t provider, std::string_view name);
  Account* Find(uint16_t source, uint32_t provider);
  static bool Adopt(Account& account, const WarmupColumn& column, bool is_known);
  void GiveUp(Account& account);
  bool WantsMore(Account& account, Instant now, Waits waits);
  bool Receive(Account& account, int64_t wanted, const storage::Granted& granted, const storage::LedgerDay& day, Instant now);
  void Return(Account& account, int64_t day, int64_t count);
  storage::LedgerCounts& CountsOf(Account& account, int64_t day);

  static uint64_t Key(uint16_t source, uint32_t provider) { return uint64_t{source} << 32 | provider; }
  // One for each (source, address, column) that warms up or of which something is in flight; numbers of forgotten ones come again.
  std::deque<Account> accounts_;
  std::vector<uint32_t> free_;
  size_t gone_ = 0;  // In use and not ours.
  std::vector<std::vector<uint32_t>> by_source_;  // Indices into accounts_.
  std::vector<bool> warming_;
  absl::flat_hash_map<uint64_t, uint32_t> by_provider_;
  storage::LedgerDay day_;
  // The request under way, and the accounts that it is for.
  std::vector<storage::GrantRequest> requests_;
  std::vector<uint32_t> asked_;
  std::optional<Instant> asked_at_;
  std::vector<storage::LedgerCounts> ready_counts_;  // Of days that are over.
  bool has_returns_ = false;
  Duration gather_ = kGather;  // Less on a test's short day.
  Instant ahead_at_{};         // When the next is drawn ahead.
  Instant recorded_at_{};
  size_t ask_from_ = 0;
};

template <class Use>
void Allowances::ForEachReady(Instant now, Use use) const {
  for (const Account& account : accounts_) {
    if (account.held <= 0 || now >= account.grant.not_after) continue;
    for (const uint32_t provider : account.providers) use(account.source, provider, account.held);
  }
}

}  // namespace sluice::scheduler

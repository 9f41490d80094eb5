// What warming sources may still send today, as this scheduler holds it: grants drawn from the ledger in small chunks and not yet
// spent. No I/O: what is to be drawn and recorded is taken from here by the core, and the answers are given back.
//
//   Look ─▶ kAsking ─▶ (draw) ─▶ kReady ─▶ Take ─▶ Spent (an RCPT was sent) or GiveBack (it was not)
//              │                    └─▶ idle or the day's end: returned to the ledger
//              └─▶ kNone until the pace allows more, the ledger answers again, or the day changes
//
// Fails closed: a source that the policy warms up has nothing until control has said where it stands, and nothing while the ledger
// is silent. A grant belongs to its day: past `not_after` it is void.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "policy/warmup.h"
#include "storage/warmup_ledger.h"

namespace sluice::scheduler {

// Where one column of a source's plan stands, as control last said.
struct WarmupColumn {
  std::string provider;
  bool needs_grants = true;
  int64_t lowered = 0;  // Rises when what was drawn must be given up.
  friend bool operator==(const WarmupColumn&, const WarmupColumn&) = default;
};
struct WarmingSource {
  uint16_t source = 0;
  std::string address;
  std::vector<WarmupColumn> columns;  // Empty = nobody has said: nothing may be sent.
};

enum class Allowance : uint8_t { kFree, kReady, kAsking, kNone };

struct Grant {
  int64_t day = 0;  // 0 = none was needed.
  Instant not_after{};
};

struct AllowanceStats {
  std::string provider;
  uint16_t source = 0;
  int64_t held = 0;
};

// Not thread-safe.
class Allowances {
 public:
  // The sources that warm up; those left out send freely. Answers the sources whose grants were given up (lowered caps): their mail
  // that was not begun is to be recalled.
  std::vector<uint16_t> Set(std::vector<WarmingSource> sources, const storage::LedgerDay& day);
  bool IsWarming(uint16_t source) const { return source < by_source_.size() && !by_source_[source].empty(); }

  // Whether one entry may go by `source` to `provider` (a number and its name). Remembers that somebody asked.
  Allowance Look(uint16_t source, uint32_t provider, std::string_view name, Instant now);
  // After Look has said kReady or kFree.
  Grant Take(uint16_t source, uint32_t provider, Instant now);
  // What became of it: `counts` has no day, address and provider; attempted 0 = the grant was not spent.
  void Conclude(uint16_t source, uint32_t provider, int64_t grant_day, const storage::LedgerCounts& counts, Instant now);

  // What is to be drawn now; each answered by OnDrawn or OnDrawFailed before more is asked.
  std::vector<storage::GrantRequest> TakeRequests(Instant now);
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
  static constexpr Duration kIdle = std::chrono::seconds(5);
  static constexpr Duration kAskAgain = std::chrono::seconds(1);
  static constexpr Duration kRecordEvery = std::chrono::seconds(1);
  static constexpr size_t kMostRequests = 1'000;

  struct Account {
    std::string address = {}, column = {};
    uint16_t source = 0;
    bool needs_grants = true;
    int64_t lowered = 0;
    int64_t held = 0;
    Grant grant = {};  // Of those held.
    int64_t chunk = 1;
    bool is_known = true;  // Control has said where it stands.
    bool is_wanted = false;
    std::optional<Instant> waiting_since = {};  // Somebody asked and has no answer yet.
    Instant none_until{};
    Instant used_at{};
    storage::LedgerCounts counts = {};  // Of counts.day, not yet recorded.
    std::vector<uint32_t> providers = {};
  };
  Account* Find(uint16_t source, uint32_t provider, std::string_view name);
  const Account* Find(uint16_t source, uint32_t provider) const;
  bool Update(const std::vector<WarmingSource>& sources, std::vector<uint16_t>& lowered);
  void GiveUp(Account& account);
  bool WantsMore(Account& account, Instant now);
  bool Receive(Account& account, const storage::Granted& granted, const storage::LedgerDay& day, Instant now);
  storage::LedgerCounts& CountsOf(Account& account, int64_t day);

  static uint64_t Key(uint16_t source, uint32_t provider) { return uint64_t{source} << 32 | provider; }
  std::deque<Account> accounts_;               // Stable addresses; forgotten with Set.
  std::vector<std::vector<size_t>> by_source_;  // Indices into accounts_.
  absl::flat_hash_map<uint64_t, size_t> by_provider_;
  storage::LedgerDay day_;
  // The request under way: accounts in its order; empty when Set has replaced them meanwhile.
  std::vector<size_t> asked_;
  std::vector<storage::GrantRequest> requests_;
  std::optional<Instant> asked_at_;
  std::vector<storage::LedgerCounts> ready_counts_;  // Of days and accounts that are over.
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

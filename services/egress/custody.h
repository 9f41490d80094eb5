// What egress holds on loan: who lent each entry, which were begun, which reports are not
// acknowledged, and what is still to be written to each scheduler. The one place where "may this
// begin now" is decided, under the same lock as the inventory, so that nothing begins behind an
// inventory's back.
//
//   Admit ─▶ (ready) ─▶ TryBegin ─▶ Report ─▶ Settle
//               └─▶ Return
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/clock.h"
#include "egress/report_keeper.h"
#include "egress/session.h"
#include "egress/work.h"

namespace sluice::egress {

// All that was begun or still has to be reported; or a part of it.
struct Inventory {
  std::vector<QueueEntryId> begun;
  std::vector<QueueEntryId> reported;
  bool is_complete = true;  // the last part
};

// One message of a Deliver stream, egress to scheduler. An inventory comes alone.
struct DeliverBatch {
  std::optional<Inventory> inventory;
  std::vector<QueueEntryId> begun;
  std::vector<NumberedReport> reports;
  std::vector<Return> returns;
  std::vector<MessageId> content_needed;

  size_t size() const {
    return begun.size() + reports.size() + returns.size() + content_needed.size();
  }
};

// A Deliver stream as custody sees it. Called from any thread, never while custody's lock is held.
class DeliverSink {
 public:
  virtual ~DeliverSink() = default;
  // Starts one write; ends with Custody::Written, also when the stream is broken. Never two at
  // once.
  virtual void Write(DeliverBatch batch) = 0;
  // Asks for Custody::Flush at about this time.
  virtual void FlushAt(SteadyInstant at) = 0;
};

struct CustodyStats {
  size_t held = 0;       // admitted, neither returned nor settled
  size_t begun = 0;      // transactions under way
  size_t unacked = 0;    // reports not acknowledged
  size_t unwritten = 0;  // what waits to be written to sessions that live
};

// Thread-safe.
class Custody {
 public:
  // A batch is written at once after this much quiet, or when this many things wait.
  static constexpr Duration kFlushInterval = std::chrono::milliseconds(2);
  static constexpr size_t kFlushCount = 64;
  static constexpr size_t kMostPerBatch = 512;
  static constexpr size_t kMostPerInventory = 10'000;

  // `most_held`: entries beyond this are refused, whatever credit the schedulers believe in.
  Custody(const Clock& clock, size_t most_held) : clock_(clock), most_held_(most_held) {}

  // ---- sessions ----
  // A scheduler has welcomed us.
  std::shared_ptr<Session> Open();
  // Its Deliver stream is up: an inventory is written, then whatever there is.
  void Attach(const Session& session, std::shared_ptr<DeliverSink> sink);
  // A stream was lost. Ends the session; its reports go to whoever owns their shards.
  void Close(Session& session);
  // See ReportKeeper::OwnShards. Answered with a fresh inventory.
  void OwnShards(const Session& session, std::span<const int> shards);
  // From now on nothing begins.
  void StartDrain();

  // ---- entries ----
  // Counts the entry as held. A reason means: give it back with Return at once.
  std::optional<ReturnReason> Admit(const Entry& entry);
  // Whether its transaction may begin now: the session's lease holds, the shard is still the
  // session's, `not_after` is ahead, no drain. When true the entry is noted as begun and must end
  // in Report. An entry begun before stays begun.
  bool TryBegin(Entry& entry);
  // The attempt is over. The entry must be begun.
  void Report(const Entry& entry, ReportPtr report);
  // The entry goes back, not begun. Silent when the session has ended: the scheduler has given up
  // hope already.
  void Return(const Entry& entry, ReturnReason reason, std::string detail = {});
  void AskContent(const Session& session, MessageId message);

  // ---- streams ----
  void Settle(const Session& session, int64_t through);
  void NotOwned(const Session& session, std::span<const int64_t> numbers);
  // The sink's write has ended.
  void Written(const Session& session);
  void Flush(const Session& session);

  CustodyStats Stats() const;

 private:
  struct Account {
    std::shared_ptr<Session> session;
    std::shared_ptr<DeliverSink> sink;
    std::vector<QueueEntryId> begun;
    std::vector<struct Return> returns;
    std::vector<MessageId> content_needed;
    bool needs_inventory = false;
    std::deque<Inventory> inventory;  // parts not yet written, taken together
    bool is_writing = false;
    bool is_armed = false;  // FlushAt was asked for
    SteadyInstant last_write{};
  };
  // What to do once the lock is free.
  struct Step {
    std::shared_ptr<DeliverSink> sink;
    std::optional<DeliverBatch> write;
    std::optional<SteadyInstant> flush_at;

    void Perform();
  };
  Account* Find(uint64_t session);
  size_t UnwrittenCount(const Account& account) const;
  Step NextLocked(Account& account);
  Step WriteLocked(Account& account, SteadyInstant now);
  std::deque<Inventory> TakeInventoryLocked() const;
  std::vector<Step> NextOfAllLocked();

  const Clock& clock_;
  const size_t most_held_;
  mutable std::mutex mutex_;
  uint64_t last_session_ = 0;
  absl::flat_hash_map<uint64_t, Account> accounts_;
  ReportKeeper reports_;
  absl::flat_hash_set<QueueEntryId> begun_;
  size_t held_ = 0;
  bool is_draining_ = false;
};

}  // namespace sluice::egress

// Reports until they are acknowledged: which scheduler session each goes to, under which number,
// and what is left when a session ends. Not thread-safe, no clock: custody.h guards it.
//
//   Add ─▶ unowned ─▶ queued for the owner's session ─▶ sent under a number ─▶ settled (forgotten)
//             ▲  session ends, shard moves  │                  │
//             └──────────────────────────────◀──────────────────┘
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "egress/work.h"
#include "mail/ids.h"

namespace sluice::egress {

struct NumberedReport {
  int64_t number = 0;  // of the session's Deliver stream, consecutive from 1
  ReportPtr report;
};

class ReportKeeper {
 public:
  static constexpr uint64_t kNobody = 0;

  // `session` may now be given reports.
  void Open(uint64_t session);
  // Its reports, sent or not, go to whoever owns their shards now, else wait. Its shards are
  // nobody's.
  void Close(uint64_t session);
  // The shards that this session owns now; the list replaces its earlier one. Reports of shards
  // that it no longer owns are taken from it.
  void OwnShards(uint64_t session, std::span<const int> shards);
  // Whether an entry of `shard` may begin on behalf of `session`: it owns the shard, or nobody has
  // ever said who does.
  bool MayBegin(uint64_t session, ShardId shard) const;

  void Add(ReportPtr report);
  size_t QueuedCount(uint64_t session) const;
  // The next reports to send, at most `most`, in the order they came; they count as sent.
  std::vector<NumberedReport> Take(uint64_t session, size_t most);
  // Everything up to this number is settled. Numbers never sent are ignored. Returns how many were
  // forgotten.
  size_t Settle(uint64_t session, int64_t through);
  // The session would not take these numbers, for their shard is another's: they wait for the next
  // OwnShards that names it, and the numbers count as passed.
  void NotOwned(uint64_t session, std::span<const int64_t> numbers);

  // Entries with a report not acknowledged.
  std::vector<QueueEntryId> Pending() const;
  // Reports kept, each once.
  size_t size() const { return size_; }

 private:
  struct Stream {
    std::deque<ReportPtr> queued;
    // Numbers first_sent, first_sent + 1 …; null where the report was taken away for another
    // session.
    std::deque<ReportPtr> sent;
    int64_t first_sent = 1;
  };
  void Route(ReportPtr report);
  void MoveAway(Stream& stream, ShardId shard);
  void RouteUnowned();

  absl::flat_hash_map<uint64_t, Stream> streams_;
  absl::flat_hash_map<int, uint64_t> owners_;  // kNobody: given up by its last owner
  std::deque<ReportPtr> unowned_;
  size_t size_ = 0;
};

}  // namespace sluice::egress

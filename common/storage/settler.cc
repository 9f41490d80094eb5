// Implements Settler: BEGIN, the shared fence locks, one statement, COMMIT; more statements only
// for what is rare.
#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/status.h"
#include "base/text.h"
#include "mail/ids.h"
#include "storage/errors.h"
#include "storage/in_transaction.h"
#include "storage/partitions.h"
#include "storage/queue_store.h"
#include "storage/rows.h"
#include "storage/settle_columns.h"
#include "storage/settle_sql.h"

namespace sluice::storage {
namespace {

// Days without a partition that one call may make; more is a broken clock.
constexpr size_t kMostNewDays = 16;

using Change = Settlement::Change;

// One call of Settle, inside its transaction. The first statement that knows the epochs decides
// which shards are held.
class SettleCall {
 public:
  SettleCall(pqxx::transaction_base& tx, FenceColumns& fence, SettleColumns& columns,
             const std::vector<ShardEpoch>& shards)
      : tx_(tx), fence_(fence), columns_(columns), shards_(shards) {
    for (size_t i = 0; i < shards_.size(); ++i) place_[shards_[i].shard] = i;
    for (const ShardEpoch& shard : shards_) {
      result_.shards.push_back({.shard = shard.shard, .last_seq = shard.last_seq});
    }
  }

  SettleResult Run(const std::vector<Settlement>& settlements) {
    LockFence();
    for (const auto& round : Rounds(settlements)) Apply(round);
    Note(settlements);
    return std::move(result_);
  }

  SettleResult TakeInbox(int most, Instant now) {
    LockFence();
    Parameters p;
    p.Add(fence_.shard).Add(fence_.epoch).Add(fence_.last_seq);
    const pqxx::row row = tx_.exec_prepared1("take_inbox", p.dynamic(), most, ToMicros(now));
    KeepHeld(row[0]);
    Advance(row[1], row[2]);
    return std::move(result_);
  }

 private:
  using Round = std::vector<const Settlement*>;

  void LockFence() {
    fence_.Fill(shards_);
    Parameters locks;
    locks.Add(fence_.shard);
    tx_.exec_prepared1("fence_lock", locks.dynamic());
  }

  // Per shard its last_seq, or null when the epoch is another's.
  void KeepHeld(const pqxx::field& last_seqs) {
    const auto held = IntsOf(last_seqs);
    for (size_t i = 0; i < held.size(); ++i) result_.shards[i].held = held[i].has_value();
  }

  // An entry occurs at most once in a round. There is always a first one: it reads the epochs.
  static std::vector<Round> Rounds(const std::vector<Settlement>& settlements) {
    std::vector<Round> rounds(1);
    std::unordered_map<int64_t, size_t> seen;
    for (const Settlement& s : settlements) {
      if (s.change == Change::kNone) continue;
      const size_t round = seen[s.entry_id]++;
      if (round == rounds.size()) rounds.emplace_back();
      rounds[round].push_back(&s);
    }
    return rounds;
  }

  void Apply(const Round& round) {
    fence_.Fill(Reached());
    columns_.Clear();
    for (const Settlement* s : round) columns_.Add(*s, PlaceOf(s->entry_id));
    const pqxx::row row = tx_.exec_prepared1("settle", SettleParameters().dynamic());
    KeepHeld(row[0]);
    Advance(row[1], row[2]);
    if (!row[3].is_null()) FindMissing(round, IntsOf(row[3]));
  }

  void FindMissing(const Round& round, const std::vector<std::optional<int64_t>>& written) {
    std::unordered_set<int64_t> there;
    for (const auto& id : written) there.insert(*id);
    BinaryArray<int64_t> unchanged;
    for (const Settlement* s : round) {
      if (s->change != Change::kEnd && !there.contains(s->entry_id)) unchanged.Add(s->entry_id);
    }
    if (unchanged.count() > 0) {
      Parameters parameters;
      parameters.Add(unchanged);
      for (const auto& id : IntsOf(tx_.exec_prepared1("still_there", parameters.dynamic())[0])) {
        there.insert(*id);
      }
    }
    for (const Settlement* s : round) {
      if (IsHeld(s->entry_id) && !there.contains(s->entry_id))
        result_.missing.push_back(s->entry_id);
    }
  }

  void Note(const std::vector<Settlement>& settlements) {
    columns_.Clear();
    BinaryArray<int64_t> last_seq;
    std::set<std::pair<int64_t, int64_t>> attempts;
    for (const Settlement& s : settlements) {
      if (s.change != Change::kNone || s.kind.empty() || !IsHeld(s.message_id)) continue;
      if (s.attempt_id != 0 && !attempts.emplace(s.message_id, s.attempt_id).second) continue;
      columns_.Add(s, PlaceOf(s.message_id));
      last_seq.Add(result_.shards[place_.at(ShardOf(s.message_id).value())].last_seq);
    }
    if (last_seq.count() == 0) return;
    const pqxx::row row = tx_.exec_prepared1("note", NoteParameters(last_seq).dynamic());
    Advance(row[0], row[1]);
  }

  Parameters SettleParameters() {
    SettleColumns& c = columns_;
    Parameters p;
    p.Add(fence_.shard).Add(fence_.epoch).Add(fence_.last_seq);
    p.Add(c.entry_id).Add(c.place).Add(c.change).Add(c.told);
    p.Add(c.due_at).Add(c.attempts).Add(c.crashes).Add(c.held).Add(c.source);
    p.Add(c.attempt_id).Add(c.duration_micros).Add(c.occurred_at).Add(c.reply_code);
    p.Add(c.possible_duplicate).Add(c.kind).Add(c.stage).Add(c.mx_host).Add(c.mx_address);
    p.Add(c.enhanced_status).Add(c.reply).Add(c.reply_class).Add(c.tls).Add(c.egress).Add(c.pool);
    p.Add(c.provider).Add(c.site).Add(c.detail).Add(c.times);
    return p;
  }

  Parameters NoteParameters(BinaryArray<int64_t>& last_seq) {
    SettleColumns& c = columns_;
    Parameters p;
    p.Add(c.message_id).Add(c.entry_id).Add(c.attempt_id).Add(c.duration_micros);
    p.Add(c.occurred_at).Add(c.due_at).Add(c.attempts).Add(c.reply_code).Add(c.possible_duplicate);
    p.Add(c.kind).Add(c.stage).Add(c.source).Add(c.mx_host).Add(c.mx_address);
    p.Add(c.enhanced_status).Add(c.reply).Add(c.reply_class).Add(c.tls).Add(c.egress).Add(c.pool);
    p.Add(c.provider).Add(c.site).Add(c.detail).Add(c.tenant).Add(c.stream).Add(c.campaign);
    p.Add(c.recipient).Add(c.metadata).Add(c.times).Add(last_seq);
    return p;
  }

  void Advance(const pqxx::field& shards, const pqxx::field& seqs) {
    const auto shard = IntsOf(shards), seq = IntsOf(seqs);
    for (size_t i = 0; i < shard.size(); ++i) {
      result_.shards[place_.at(static_cast<int>(*shard[i]))].last_seq = *seq[i];
    }
  }

  // The call's epochs with the numbers reached so far.
  std::vector<ShardEpoch> Reached() const {
    std::vector<ShardEpoch> reached = shards_;
    for (size_t i = 0; i < reached.size(); ++i) reached[i].last_seq = result_.shards[i].last_seq;
    return reached;
  }
  bool IsHeld(int64_t id) const { return result_.shards[place_.at(ShardOf(id).value())].held; }
  int16_t PlaceOf(int64_t id) const {
    return static_cast<int16_t>(place_.at(ShardOf(id).value()) + 1);
  }

  pqxx::transaction_base& tx_;
  FenceColumns& fence_;
  SettleColumns& columns_;
  const std::vector<ShardEpoch>& shards_;
  std::unordered_map<int, size_t> place_;
  SettleResult result_;
};

class PostgresSettler final : public Settler {
 public:
  explicit PostgresSettler(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  absl::StatusOr<SettleResult> Settle(const std::vector<ShardEpoch>& shards,
                                      const std::vector<Settlement>& settlements) override {
    RETURN_IF_ERROR(Check(shards, settlements));
    absl::StatusOr<SettleResult> result = SettleOnce(shards, settlements);
    // An event of a day that has no partition.
    if (!IsMissingPartition(result.status())) return result;
    std::set<Day> days;
    for (const Settlement& s : settlements) days.insert(DayOf(s.occurred_at));
    RETURN_IF_ERROR(MakeDays(days));
    return SettleOnce(shards, settlements);
  }

  absl::StatusOr<SettleResult> TakeInbox(const std::vector<ShardEpoch>& shards, int most,
                                         Instant now) override {
    absl::StatusOr<SettleResult> result = TakeInboxOnce(shards, most, now);
    if (!IsMissingPartition(result.status())) return result;
    RETURN_IF_ERROR(MakeDays({DayOf(now)}));
    return TakeInboxOnce(shards, most, now);
  }

  absl::StatusOr<int64_t> LastSeq(int shard) override {
    return InTransaction<int64_t>(*session_, "last event number",
                                  [&](pqxx::transaction_base& tx) -> absl::StatusOr<int64_t> {
                                    return IntOf<int64_t>(tx.exec_prepared1("last_seq", shard)[0]);
                                  });
  }

  absl::Status TrimBatches(const std::vector<WriterMark>& marks, const std::vector<int64_t>& gone,
                           Instant before) override {
    BinaryArray<int16_t> shard;
    BinaryArray<int64_t> writer, seq;
    for (const WriterMark& mark : marks) {
      shard.Add(static_cast<int16_t>(mark.shard));
      writer.Add(mark.writer);
      seq.Add(mark.seq);
    }
    Parameters batches, writers;
    batches.Add(shard).Add(writer).Add(seq).Add(ArrayOf<int64_t>(gone));
    writers.Add(ArrayOf<int64_t>(gone));
    return RunTransaction(*session_, "trim batches", [&](pqxx::transaction_base& tx) {
      tx.exec_prepared0("trim_batches", batches.dynamic(), ToMicros(before));
      if (!gone.empty()) tx.exec_prepared0("trim_writers", writers.dynamic());
      return absl::OkStatus();
    });
  }

 private:
  static absl::Status Check(const std::vector<ShardEpoch>& shards,
                            const std::vector<Settlement>& settlements) {
    std::unordered_set<int> named;
    for (const ShardEpoch& shard : shards) {
      if (!named.insert(shard.shard).second) {
        return absl::InvalidArgumentError(Cat("settle: shard ", shard.shard, " is named twice"));
      }
    }
    for (const Settlement& s : settlements) {
      const int64_t id = s.change == Change::kNone ? s.message_id : s.entry_id;
      if (!named.contains(ShardOf(id).value())) {
        return absl::InvalidArgumentError(Cat("settle: shard of entry ", id, " is not named"));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<SettleResult> SettleOnce(const std::vector<ShardEpoch>& shards,
                                          const std::vector<Settlement>& settlements) {
    return InTransaction<SettleResult>(
        *session_, "settle", [&](pqxx::transaction_base& tx) -> absl::StatusOr<SettleResult> {
          return SettleCall(tx, fence_, columns_, shards).Run(settlements);
        });
  }

  absl::StatusOr<SettleResult> TakeInboxOnce(const std::vector<ShardEpoch>& shards, int most,
                                             Instant now) {
    return InTransaction<SettleResult>(
        *session_, "take inbox", [&](pqxx::transaction_base& tx) -> absl::StatusOr<SettleResult> {
          return SettleCall(tx, fence_, columns_, shards).TakeInbox(most, now);
        });
  }

  absl::Status MakeDays(const std::set<Day>& days) {
    if (days.size() > kMostNewDays) {
      return absl::InvalidArgumentError("settle: events of too many different days");
    }
    return RunTransaction(*session_, "event partitions", [&](pqxx::transaction_base& tx) {
      for (Day day : days) CreateEventPartition(tx, day);
      return absl::OkStatus();
    });
  }

  const std::unique_ptr<Session> session_;
  FenceColumns fence_;
  SettleColumns columns_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Settler>> OpenSettler(const ConnectionOptions& options) {
  ASSIGN_OR_RETURN(auto session, Session::Open(options, Planning::kByKeyHashed));
  RETURN_IF_ERROR(session->KeepMemory());
  RETURN_IF_ERROR(session->Prepare("fence_lock", sql::kFenceLock));
  RETURN_IF_ERROR(session->Prepare("settle", sql::kSettle));
  RETURN_IF_ERROR(session->Prepare("still_there", sql::kStillThere));
  RETURN_IF_ERROR(session->Prepare("note", sql::kNote));
  RETURN_IF_ERROR(session->Prepare("take_inbox", sql::kTakeInbox));
  RETURN_IF_ERROR(session->Prepare("last_seq", sql::kLastSeq));
  RETURN_IF_ERROR(session->Prepare("trim_batches", sql::kTrimBatches));
  RETURN_IF_ERROR(session->Prepare("trim_writers", sql::kTrimWriters));
  return std::make_unique<PostgresSettler>(std::move(session));
}

}  // namespace sluice::storage

// Implements AcceptWriter: one statement, which is a transaction; more only for what is rare.
#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <unordered_map>

#include "base/check.h"
#include "base/status.h"
#include "base/text.h"
#include "storage/accept_columns.h"
#include "storage/accept_sql.h"
#include "storage/errors.h"
#include "storage/in_transaction.h"
#include "storage/inbox_columns.h"
#include "storage/queue_store.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr Duration kPartitionLife = std::chrono::seconds(1);
constexpr int kPartitionTries = 5;
// Tries to draw a writer id that no living or untrimmed writer has.
constexpr int kWriterTries = 100;

// What `submission` knows of one key.
struct KeyRow {
  Hash128 digest;
  int64_t message_id = 0;
  std::string verdicts;
};

Hash128 HashOf(const pqxx::field& uuid) {
  Hash128 hash;
  int digits = 0;
  for (char c : ViewOf(uuid)) {
    if (c == '-') continue;
    uint64_t digit = 0;
    const auto parsed = std::from_chars(&c, &c + 1, digit, 16);
    SLUICE_CHECK(parsed.ec == std::errc());
    uint64_t& half = digits++ < 16 ? hash.high : hash.low;
    half = half << 4 | digit;
  }
  SLUICE_CHECK(digits == 32);
  return hash;
}

class PostgresAcceptWriter final : public AcceptWriter {
 public:
  PostgresAcceptWriter(std::unique_ptr<Session> session, WriterId writer)
      : session_(std::move(session)), writer_(writer) {}

  int64_t writer() const override { return writer_.value(); }

  absl::StatusOr<AcceptResult> Accept(int shard,
                                      const std::vector<AcceptedMessage>& batch) override {
    RETURN_IF_ERROR(Reserve(shard, batch));
    const Instant now = columns_.accepted_at;
    absl::StatusOr<AcceptResult> result = Commit(shard, batch, now);
    // Closed and gone since it was looked up last; nothing was stored.
    for (int tries = 1; tries < kPartitionTries && IsMissingPartition(result.status()); ++tries) {
      partition_read_at_ = Instant{};
      result = Commit(shard, batch, now);
    }
    if (IsMissingPartition(result.status())) {
      result = absl::UnavailableError(result.status().message());
    }
    if (absl::IsUnavailable(result.status()) || absl::IsUnknown(result.status())) dead_ = true;
    return result;
  }

 private:
  // Checks the call and gives out the ids; those of a failed call are never used again.
  absl::Status Reserve(int shard, const std::vector<AcceptedMessage>& batch) {
    if (dead_) return absl::UnavailableError("this writer's connection is gone: open another");
    if (shard < 0 || shard >= kMaxShards) {
      return absl::InvalidArgumentError(Cat("no shard ", shard));
    }
    const int64_t count = AcceptColumns::CounterCount(batch);
    if (count == 0) return absl::InvalidArgumentError("an empty batch");
    if (next_counter_ + count > int64_t{std::numeric_limits<uint32_t>::max()}) {
      dead_ = true;
      return absl::UnavailableError("this writer's numbers are used up: open another");
    }
    columns_.Fill(batch, ShardId(shard), writer_, static_cast<uint32_t>(next_counter_));
    next_counter_ += count;
    return absl::OkStatus();
  }

  // By index of the first message with the key: the rows that were there before; none when such a row went away since.
  using Earlier = std::unordered_map<size_t, std::optional<KeyRow>>;

  absl::StatusOr<AcceptResult> Commit(int shard, const std::vector<AcceptedMessage>& batch,
                                      Instant now) {
    RETURN_IF_ERROR(FindPartition(now));
    // Notes go with the batch. A connection that seems to be going is tried with a BEGIN: then it is known that nothing was stored.
    const bool is_one_statement = !HasSuppressed(batch) && !session_->HasUnaskedInput();
    bool is_inserted = false;
    absl::StatusOr<AcceptResult> result = InTransaction<AcceptResult>(
        *session_, "accept",
        [&](pqxx::transaction_base& tx) -> absl::StatusOr<AcceptResult> {
          if (is_one_statement && is_inserted) return absl::UnknownError("lost after it was stored");
          return Insert(tx, shard, batch, is_inserted);
        },
        is_one_statement ? Isolation::kOneStatement : Isolation::kReadCommitted);
    if (result.ok() && result->seq != 0) last_seq_[shard] = result->seq;
    if (!result.ok() && is_one_statement && is_inserted) {
      return absl::UnknownError(result.status().message());
    }
    return result;
  }

  AcceptResult Insert(pqxx::transaction_base& tx, int shard,
                      const std::vector<AcceptedMessage>& batch, bool& is_inserted) {
    const int64_t seq = last_seq_[shard] + 1;
    const pqxx::row row =
        tx.exec_prepared1("accept", RowParameters().dynamic(), part_, shard, writer_.value(), seq,
                          columns_.first_entry_id, columns_.last_entry_id,
                          ToMicros(columns_.accepted_at), columns_.has_unkeyed);
    is_inserted = true;
    AcceptResult result;
    result.content_partition = part_;
    const auto fresh_count = IntOf<int64_t>(row[0]);
    if (fresh_count > 0 || columns_.has_unkeyed) result.seq = seq;
    Earlier earlier;
    if (fresh_count < columns_.keys.key_hash.count()) {
      earlier = ReadEarlier(tx, batch, IntsOf(row[1]));
    }
    result.outcomes = Outcomes(batch, earlier);
    PostSuppressed(tx, batch, result.outcomes);
    return result;
  }

  static bool HasSuppressed(const std::vector<AcceptedMessage>& batch) {
    return std::any_of(batch.begin(), batch.end(),
                       [](const AcceptedMessage& m) { return !m.suppressed.empty(); });
  }

  // Rare: most batches have none.
  static void PostSuppressed(pqxx::transaction_base& tx, const std::vector<AcceptedMessage>& batch,
                             const std::vector<AcceptOutcome>& outcomes) {
    InboxColumns columns;
    for (size_t i = 0; i < batch.size(); ++i) {
      if (outcomes[i].kind != AcceptOutcome::Kind::kAccepted) continue;
      for (const AcceptedRecipient& recipient : batch[i].suppressed) {
        columns.Add({.message_id = outcomes[i].message_id,
                     .kind = "suppressed",
                     .tenant = batch[i].tenant,
                     .stream = batch[i].stream,
                     .campaign = batch[i].campaign,
                     .recipient = recipient.address,
                     .metadata_json = recipient.metadata_json});
      }
    }
    if (columns.shard.count() == 0) return;
    tx.exec_prepared0("post_notes", columns.ToParameters().dynamic());
  }

  // Not a clock of its own: the batches say what time it is.
  absl::Status FindPartition(Instant now) {
    if (now >= partition_read_at_ && now - partition_read_at_ < kPartitionLife) {
      return absl::OkStatus();
    }
    return RunTransaction(*session_, "find content partition", [&](pqxx::transaction_base& tx) {
      const pqxx::row row = tx.exec_prepared1("open_partition");
      if (row[0].is_null()) return absl::UnavailableError("no content partition is open");
      part_ = IntOf<int32_t>(row[0]);
      partition_read_at_ = now;
      return absl::OkStatus();
    });
  }

  Parameters RowParameters() {
    KeyColumns& k = columns_.keys;
    MessageColumns& m = columns_.messages;
    EntryColumns& e = columns_.entries;
    Parameters p;
    p.Add(k.key_hash).Add(k.digest).Add(k.message_id).Add(k.verdicts);
    p.Add(m.id).Add(m.keyed).Add(m.accepted_at).Add(m.size_bytes).Add(m.encoding).Add(m.flags);
    p.Add(m.dsn_return).Add(m.return_path).Add(m.sender_domain).Add(m.dsn_envelope_id);
    p.Add(m.prepended_headers).Add(m.content);
    p.Add(e.id).Add(e.message_id).Add(e.keyed).Add(e.accepted_at).Add(e.due_at).Add(e.expires_at);
    p.Add(e.priority).Add(e.engagement).Add(e.dsn_notify).Add(e.tenant).Add(e.stream);
    p.Add(e.campaign).Add(e.domain).Add(e.sender_domain).Add(e.recipient).Add(e.tags);
    p.Add(e.metadata).Add(e.merge_values);
    return p;
  }

  Earlier ReadEarlier(pqxx::transaction_base& tx, const std::vector<AcceptedMessage>& batch,
                      std::vector<std::optional<int64_t>> fresh) {
    std::sort(fresh.begin(), fresh.end());
    std::vector<size_t> asked;
    BinaryArray<Hash128> keys;
    for (size_t i = 0; i < batch.size(); ++i) {
      if (!batch[i].key_hash || columns_.first_with_key[i] != i) continue;
      if (std::binary_search(fresh.begin(), fresh.end(), std::optional(columns_.ids[i]))) continue;
      asked.push_back(i);
      keys.Add(*batch[i].key_hash);
    }
    Earlier earlier;
    for (const size_t i : asked) earlier[i];
    Parameters parameters;
    parameters.Add(keys);
    for (const pqxx::row& row : tx.exec_prepared("earlier", parameters.dynamic())) {
      const auto n = static_cast<size_t>(IntOf<int64_t>(row[0]) - 1);
      earlier[asked.at(n)] = KeyRow{.digest = HashOf(row[1]),
                                    .message_id = IntOf<int64_t>(row[2]),
                                    .verdicts = BytesOf(row[3])};
    }
    return earlier;
  }

  std::vector<AcceptOutcome> Outcomes(const std::vector<AcceptedMessage>& batch,
                                      const Earlier& earlier) const {
    std::vector<AcceptOutcome> outcomes(batch.size());
    for (size_t i = 0; i < batch.size(); ++i) {
      const size_t first = columns_.first_with_key[i];
      const auto before = earlier.find(first);
      if (first == i && before == earlier.end()) {
        outcomes[i] = {.message_id = columns_.ids[i], .verdicts = batch[i].verdicts};
        continue;
      }
      if (before != earlier.end() && !before->second.has_value()) {
        outcomes[i].kind = AcceptOutcome::Kind::kForgotten;
        continue;
      }
      const KeyRow row = before != earlier.end() ? *before->second
                                                 : KeyRow{.digest = batch[first].digest,
                                                          .message_id = columns_.ids[first],
                                                          .verdicts = batch[first].verdicts};
      outcomes[i].kind = row.digest == batch[i].digest ? AcceptOutcome::Kind::kRepeated
                                                       : AcceptOutcome::Kind::kConflict;
      if (outcomes[i].kind == AcceptOutcome::Kind::kConflict) continue;
      outcomes[i].message_id = row.message_id;
      outcomes[i].verdicts = row.verdicts;
    }
    return outcomes;
  }

  const std::unique_ptr<Session> session_;
  const WriterId writer_;
  AcceptColumns columns_;
  std::map<int, int64_t> last_seq_;
  int64_t next_counter_ = 1;
  int32_t part_ = 0;
  Instant partition_read_at_{};
  bool dead_ = false;
};

// The lock comes before the row: a row without a lock means a writer that is gone.
absl::StatusOr<WriterId> RegisterWriter(Session& session, Instant now) {
  for (int tries = 0; tries < kWriterTries; ++tries) {
    ASSIGN_OR_RETURN(
        const int32_t id,
        InTransaction<int32_t>(
            session, "register writer", [&](pqxx::transaction_base& tx) -> absl::StatusOr<int32_t> {
              const auto drawn = IntOf<int32_t>(tx.exec1("select nextval('writer_id')")[0]);
              if (!BoolOf(tx.exec_params1("select pg_try_advisory_lock(9, $1)", drawn)[0]))
                return 0;
              const pqxx::result inserted = tx.exec_params(
                  "insert into writer (id, started_at)"
                  " values ($1, timestamptz 'epoch' + $2::bigint * interval '1 microsecond')"
                  " on conflict do nothing returning id",
                  drawn, ToMicros(now));
              if (!inserted.empty()) return drawn;
              tx.exec_params1("select pg_advisory_unlock(9, $1)", drawn);
              return 0;
            }));
    if (id != 0) return WriterId(id);
  }
  return absl::ResourceExhaustedError("no free writer id found");
}

}  // namespace

absl::StatusOr<std::unique_ptr<AcceptWriter>> OpenAcceptWriter(const ConnectionOptions& options,
                                                               Instant now) {
  ASSIGN_OR_RETURN(auto session, Session::Open(options, Planning::kByKey));
  RETURN_IF_ERROR(session->KeepMemory());
  RETURN_IF_ERROR(session->Prepare("accept", sql::kAccept));
  RETURN_IF_ERROR(session->Prepare("earlier", sql::kEarlier));
  RETURN_IF_ERROR(session->Prepare("open_partition", sql::kOpenPartition));
  RETURN_IF_ERROR(session->Prepare("post_notes", sql::kPostNotes));
  ASSIGN_OR_RETURN(const WriterId writer, RegisterWriter(*session, now));
  return std::make_unique<PostgresAcceptWriter>(std::move(session), writer);
}

}  // namespace sluice::storage

// The queue in PostgreSQL: what ingest commits, what a shard's owner loads and tails, what it
// settles. One writer or owner uses one object from one thread; several objects work side by side.
// Times are parameters; every call is bounded by the statement timeout of its connection, COMMIT
// excepted, which is never cancelled.
//
// Errors: Unavailable = not committed, try again later. Unknown = in doubt (the connection died
// inside COMMIT): the caller treats it as maybe committed. ResourceExhausted = disk full.
// InvalidArgument / OutOfRange = a row is bad (bisect).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "mail/ids.h"
#include "storage/connection.h"
#include "storage/hash128.h"

namespace sluice::storage {

// ---- ingest: accept ---------------------------------------------------------------------------

struct AcceptedRecipient {
  std::string address{};
  std::string domain{};
  std::string metadata_json{};      // Empty = none.
  std::string merge_values_json{};  // Empty = none.
  int16_t engagement = 0;
  int16_t dsn_notify = 0;  // Bit set as in queue_entry.dsn_notify.
  std::string traceparent{};  // As in metadata_json, for the hand-off; not a column.
};

struct AcceptedMessage {
  // Zero key = no idempotency: always accepted.
  std::optional<Hash128> key_hash{};
  Hash128 digest{};
  std::string verdicts{};  // Opaque bytes given back on a repeated key; empty = none.

  std::string tenant{}, stream{}, campaign{};
  std::string return_path{};  // Empty = null path.
  std::string sender_domain{};
  std::string tags{};  // `name=value` lines.
  int16_t priority = 1;
  Instant accepted_at{}, due_at{}, expires_at{};

  std::string prepended_headers{};
  std::string content{};  // As stored.
  int16_t encoding = 1;
  int32_t size_bytes = 0;
  int16_t flags = 0;  // 1 has_8bit, 2 needs_smtputf8, 4 merge.
  int16_t dsn_return = 0;
  std::string dsn_envelope_id{};
  std::vector<AcceptedRecipient> recipients{};
  // Refused because they are suppressed: each becomes an event of kind `suppressed` when the
  // message is new. May be there without recipients.
  std::vector<AcceptedRecipient> suppressed{};
};

// What became of one message of a batch.
struct AcceptOutcome {
  enum class Kind {
    kAccepted,
    kRepeated,  // The key was used for the same digest: the earlier answer follows.
    kConflict,  // The key was used for another digest.
    // The key was used so long ago that its answer went away just now: not stored, the key is free.
    kForgotten,
  };
  Kind kind = Kind::kAccepted;
  int64_t message_id = 0;
  std::string verdicts{};
};

struct AcceptResult {
  std::vector<AcceptOutcome> outcomes{};  // In the order of the batch.
  int64_t seq = 0;  // Number of (shard, writer); 0 = nothing new, no batch row written.
  int32_t content_partition = 0;
};

// One ingest connection = one writer. Not thread-safe.
class AcceptWriter {
 public:
  virtual ~AcceptWriter() = default;
  virtual int64_t writer() const = 0;
  // Commits the batch in one transaction for `shard`, mostly in one round trip. On any error
  // nothing is known to be stored, and after Unknown or Unavailable the object is dead: open
  // another (a new writer id).
  virtual absl::StatusOr<AcceptResult> Accept(int shard,
                                              const std::vector<AcceptedMessage>& batch) = 0;
};

// Connects, registers the writer, takes its session lock.
absl::StatusOr<std::unique_ptr<AcceptWriter>> OpenAcceptWriter(const ConnectionOptions& options,
                                                               Instant now);

// ---- owner: load, tail, fetch -------------------------------------------------------------------

// One row of queue_entry as the index needs it.
struct LoadedEntry {
  int64_t id = 0, message_id = 0;
  Instant accepted_at{}, due_at{}, expires_at{};
  int32_t part = 0;
  int16_t attempts = 0, crashes = 0, priority = 1, engagement = 0;
  std::string_view tenant{}, stream{}, campaign{}, domain{}, last_source{}, held{}, tags{},
      sender_domain{}, pool{};
};

struct WriterMark {
  int shard = 0;
  int64_t writer = 0;
  int64_t seq = 0;  // Highest committed number.
};

// A batch found by tailing.
struct TailedBatch {
  int shard = 0;
  int64_t writer = 0, seq = 0;
  int64_t first_entry_id = 0, last_entry_id = 0;
};

// Everything egress needs of one entry beyond the index.
struct EntryPayload {
  int64_t id = 0, message_id = 0;
  std::string recipient{};
  std::string merge_values_json{};
  int16_t dsn_notify = 0;
  std::string metadata_json{};  // Only when it has a trace context.
};
struct MessagePayload {
  int64_t id = 0;
  std::string return_path{}, dsn_envelope_id{}, prepended_headers{}, content{};
  int16_t encoding = 1, flags = 0, dsn_return = 0;
  int32_t size_bytes = 0;
};

// Reads for shard owners. One connection, not thread-safe.
class QueueReader {
 public:
  virtual ~QueueReader() = default;
  // One REPEATABLE READ snapshot: first the watermark of every writer of `shard`, then every entry
  // in id order. `on_entry` gets views valid during the call; returning false stops early (answers
  // Cancelled).
  virtual absl::Status LoadShard(int shard, const std::function<void(const WriterMark&)>& on_mark,
                                 const std::function<bool(const LoadedEntry&)>& on_entry) = 0;
  // Batches of the shards committed after the marks (a writer without a mark: all its batches), at
  // most `limit`, in number order per (shard, writer).
  virtual absl::StatusOr<std::vector<TailedBatch>> Tail(const std::vector<int>& shards,
                                                        const std::vector<WriterMark>& marks,
                                                        int limit) = 0;
  // Entries still there with ids in [first, last].
  virtual absl::Status LoadRange(int64_t first, int64_t last,
                                 const std::function<bool(const LoadedEntry&)>& on_entry) = 0;
  // What exists of these; missing ones are simply not answered.
  virtual absl::StatusOr<std::vector<EntryPayload>> FetchEntries(
      const std::vector<int64_t>& ids) = 0;
  struct ContentKey {
    int32_t part;
    int64_t message_id;
  };
  virtual absl::StatusOr<std::vector<MessagePayload>> FetchMessages(
      const std::vector<ContentKey>& keys) = 0;
  // Those whose connection is provably gone. Their last batches are seen by a Tail that begins
  // after this answer: tail once more before retiring one.
  struct WriterLife {
    std::vector<int64_t> gone{};
  };
  virtual absl::StatusOr<WriterLife> CheckWriters(const std::vector<int64_t>& writers) = 0;
};
absl::StatusOr<std::unique_ptr<QueueReader>> OpenQueueReader(const ConnectionOptions& options);

// ---- owner: settle
// --------------------------------------------------------------------------------

struct ShardEpoch {
  int shard = 0;
  int64_t epoch = 0;
  int64_t last_seq = 0;  // Highest event number of the shard so far.
};

// What happens to one entry, and the event that says so. `shard` of it is in its ids.
struct Settlement {
  enum class Change {
    kEnd,    // Delete the entry.
    kDefer,  // Set due_at (kept when absent), attempts, crashes, held, and last_source to `source`
             // unless that is empty.
    kHold,   // Set held and crashes.
    kMove,   // Set pool: an operator's choice, before the routes.
    kNone,   // Only the event (superseded, late_delivery): once per message and attempt_id, unless
             // attempt_id is 0.
  };
  Change change = Change::kEnd;
  int64_t entry_id = 0, message_id = 0, attempt_id = 0;
  std::string kind{};  // Event kind in lower case; empty = no event.
  Instant occurred_at{};
  std::optional<Instant> due_at{};
  int16_t attempts = 0, crashes = 0;  // `attempts` is also the event's attempt number.
  std::string held{};
  // Of the attempt.
  std::string stage{}, source{}, mx_host{}, mx_address{}, enhanced_status{}, reply{}, reply_class{},
      tls{}, egress{}, times{};
  std::string pool{}, provider{}, site{}, detail{};
  int16_t reply_code = 0;
  int64_t duration_micros = 0;
  bool possible_duplicate = false;
  // Only for kNone, where neither an entry nor an earlier event of it can say.
  std::string tenant{}, stream{}, campaign{}, recipient{}, metadata_json{};
};

struct SettleResult {
  // Per shard of the call: false = the lease is no longer ours, nothing of this shard was written.
  struct Shard {
    int shard = 0;
    bool held = false;
    int64_t last_seq = 0;
  };
  std::vector<Shard> shards{};
  // Entries of change kEnd, kDefer or kHold that were no longer there (no event was written for
  // them).
  std::vector<int64_t> missing{};
};

// Serial: one object per scheduler process settles all its shards. Not thread-safe.
class Settler {
 public:
  virtual ~Settler() = default;
  // One transaction; an entry may occur several times, its changes are made in order. On Unknown
  // (in doubt) the caller repeats the very same call on a new Settler, with last_seq read again
  // (LastSeq): what was written is found written, and no event comes twice. InvalidArgument: a
  // settlement of a shard that `shards` does not name, or a bad row.
  virtual absl::StatusOr<SettleResult> Settle(const std::vector<ShardEpoch>& shards,
                                              const std::vector<Settlement>& settlements) = 0;
  // Takes at most `most` notes of the shards out of event_inbox and writes their events, as of
  // `now`, in one transaction. A shard whose lease is no longer ours keeps its notes. On Unknown
  // the caller repeats the call as with Settle.
  virtual absl::StatusOr<SettleResult> TakeInbox(const std::vector<ShardEpoch>& shards, int most,
                                                 Instant now) = 0;
  virtual absl::StatusOr<int64_t> LastSeq(int shard) = 0;
  // Deletes accept_batch rows at or below the marks and accepted before `before`, but the newest of
  // each writer that is not named gone; then the registration of those of `gone` that have no rows
  // left.
  virtual absl::Status TrimBatches(const std::vector<WriterMark>& marks,
                                   const std::vector<int64_t>& gone, Instant before) = 0;
};
absl::StatusOr<std::unique_ptr<Settler>> OpenSettler(const ConnectionOptions& options);

}  // namespace sluice::storage

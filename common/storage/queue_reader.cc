// Implements QueueReader.
#include <pqxx/nontransaction>

#include "base/status.h"
#include "base/text.h"
#include "mail/ids.h"
#include "storage/in_transaction.h"
#include "storage/queue_store.h"
#include "storage/read_sql.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

// Rows a fetch brings at once: large enough to hide the round trip, small enough for memory.
constexpr int kFetchRows = 2000;

using OnEntry = std::function<bool(const LoadedEntry&)>;

LoadedEntry EntryOf(const pqxx::row& row) {
  LoadedEntry entry;
  entry.id = IntOf<int64_t>(row[0]);
  entry.message_id = IntOf<int64_t>(row[1]);
  entry.accepted_at = InstantOf(row[2]);
  entry.due_at = InstantOf(row[3]);
  entry.expires_at = InstantOf(row[4]);
  entry.part = IntOf<int32_t>(row[5]);
  entry.attempts = IntOf<int16_t>(row[6]);
  entry.crashes = IntOf<int16_t>(row[7]);
  entry.priority = IntOf<int16_t>(row[8]);
  entry.engagement = IntOf<int16_t>(row[9]);
  entry.tenant = ViewOf(row[10]);
  entry.stream = ViewOf(row[11]);
  entry.campaign = ViewOf(row[12]);
  entry.domain = ViewOf(row[13]);
  entry.last_source = ViewOf(row[14]);
  entry.held = ViewOf(row[15]);
  entry.tags = ViewOf(row[16]);
  entry.sender_domain = ViewOf(row[17]);
  entry.pool = ViewOf(row[18]);
  return entry;
}

absl::Status Visit(const pqxx::result& rows, const OnEntry& on_entry) {
  for (const pqxx::row& row : rows) {
    if (!on_entry(EntryOf(row))) return absl::CancelledError("stopped by the reader");
  }
  return absl::OkStatus();
}

class PostgresQueueReader final : public QueueReader {
 public:
  explicit PostgresQueueReader(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  absl::Status LoadShard(int shard, const std::function<void(const WriterMark&)>& on_mark,
                         const OnEntry& on_entry) override {
    const int64_t first = int64_t{shard} << 56;
    const int64_t last = first + ((int64_t{1} << 56) - 1);
    return RunTransaction(
        *session_, "load shard",
        [&](pqxx::transaction_base& tx) -> absl::Status {
          for (const pqxx::row& row : tx.exec_prepared("marks", shard)) {
            on_mark(
                {.shard = shard, .writer = IntOf<int64_t>(row[0]), .seq = IntOf<int64_t>(row[1])});
          }
          tx.exec_params0(sql::kLoadCursor, first, last);
          for (;;) {
            const pqxx::result rows = tx.exec(Cat("fetch ", kFetchRows, " from load"));
            RETURN_IF_ERROR(Visit(rows, on_entry));
            if (rows.size() < kFetchRows) return absl::OkStatus();
          }
        },
        Isolation::kRepeatableReadOnly);
  }

  absl::StatusOr<std::vector<TailedBatch>> Tail(const std::vector<int>& shards,
                                                const std::vector<WriterMark>& marks,
                                                int limit) override {
    BinaryArray<int16_t> shard;
    BinaryArray<int64_t> writer, seq;
    for (const WriterMark& mark : marks) {
      shard.Add(static_cast<int16_t>(mark.shard));
      writer.Add(mark.writer);
      seq.Add(mark.seq);
    }
    Parameters parameters;
    parameters.Add(ArrayOf<int16_t>(shards)).Add(shard).Add(writer).Add(seq);
    std::vector<TailedBatch> batches;
    RETURN_IF_ERROR(RunTransaction(*session_, "tail", [&](pqxx::transaction_base& tx) {
      for (const pqxx::row& row : tx.exec_prepared("tail", parameters.dynamic(), limit)) {
        batches.push_back({.shard = IntOf<int32_t>(row[0]),
                           .writer = IntOf<int64_t>(row[1]),
                           .seq = IntOf<int64_t>(row[2]),
                           .first_entry_id = IntOf<int64_t>(row[3]),
                           .last_entry_id = IntOf<int64_t>(row[4])});
      }
      return absl::OkStatus();
    }));
    return batches;
  }

  absl::Status LoadRange(int64_t first, int64_t last, const OnEntry& on_entry) override {
    return RunTransaction(*session_, "load range", [&](pqxx::transaction_base& tx) {
      return Visit(tx.exec_prepared("load_range", first, last), on_entry);
    });
  }

  absl::StatusOr<std::vector<EntryPayload>> FetchEntries(const std::vector<int64_t>& ids) override {
    Parameters parameters;
    parameters.Add(ArrayOf<int64_t>(ids));
    std::vector<EntryPayload> entries;
    RETURN_IF_ERROR(RunTransaction(*session_, "fetch entries", [&](pqxx::transaction_base& tx) {
      for (const pqxx::row& row : tx.exec_prepared("fetch_entries", parameters.dynamic())) {
        entries.push_back({.id = IntOf<int64_t>(row[0]),
                           .message_id = IntOf<int64_t>(row[1]),
                           .recipient = StringOf(row[2]),
                           .merge_values_json = BytesOf(row[3]),
                           .dsn_notify = IntOf<int16_t>(row[4]),
                           .metadata_json = BytesOf(row[5])});
      }
      return absl::OkStatus();
    }));
    return entries;
  }

  absl::StatusOr<std::vector<MessagePayload>> FetchMessages(
      const std::vector<ContentKey>& keys) override {
    BinaryArray<int32_t> part;
    BinaryArray<int64_t> id;
    for (const ContentKey& key : keys) {
      part.Add(key.part);
      id.Add(key.message_id);
    }
    Parameters parameters;
    parameters.Add(part).Add(id);
    std::vector<MessagePayload> messages;
    RETURN_IF_ERROR(RunTransaction(*session_, "fetch messages", [&](pqxx::transaction_base& tx) {
      for (const pqxx::row& row : tx.exec_prepared("fetch_messages", parameters.dynamic())) {
        messages.push_back({.id = IntOf<int64_t>(row[0]),
                            .return_path = StringOf(row[1]),
                            .dsn_envelope_id = StringOf(row[2]),
                            .prepended_headers = BytesOf(row[3]),
                            .content = BytesOf(row[4]),
                            .encoding = IntOf<int16_t>(row[5]),
                            .flags = IntOf<int16_t>(row[6]),
                            .dsn_return = IntOf<int16_t>(row[7]),
                            .size_bytes = IntOf<int32_t>(row[8])});
      }
      return absl::OkStatus();
    }));
    return messages;
  }

  absl::StatusOr<WriterLife> CheckWriters(const std::vector<int64_t>& writers) override {
    Parameters parameters;
    parameters.Add(ArrayOf<int64_t>(writers));
    WriterLife life;
    RETURN_IF_ERROR(RunTransaction(*session_, "check writers", [&](pqxx::transaction_base& tx) {
      const pqxx::row row = tx.exec_prepared1("gone_writers", parameters.dynamic());
      for (const auto& writer : IntsOf(row[0])) life.gone.push_back(*writer);
      return absl::OkStatus();
    }));
    return life;
  }

 private:
  const std::unique_ptr<Session> session_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<QueueReader>> OpenQueueReader(const ConnectionOptions& options) {
  ASSIGN_OR_RETURN(auto session, Session::Open(options, Planning::kByKey));
  RETURN_IF_ERROR(session->Prepare("marks", sql::kMarks));
  RETURN_IF_ERROR(session->Prepare("tail", sql::kTail));
  RETURN_IF_ERROR(session->Prepare("load_range", sql::kLoadRange));
  RETURN_IF_ERROR(session->Prepare("fetch_entries", sql::kFetchEntries));
  RETURN_IF_ERROR(session->Prepare("fetch_messages", sql::kFetchMessages));
  RETURN_IF_ERROR(session->Prepare("gone_writers", sql::kGoneWriters));
  return std::make_unique<PostgresQueueReader>(std::move(session));
}

}  // namespace sluice::storage

#include "storage/event_store.h"

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "storage/event_sql.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

// With some forty partitions planning costs more than reading, and statistics of a young one say
// nothing.
constexpr const char* kPlanning =
    "set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off;"
    " set local enable_bitmapscan = off; set local enable_sort = off";

StoredEvent EventOf(const pqxx::row& row) {
  StoredEvent event{.shard = IntOf<int32_t>(row[0]),
                    .seq = IntOf<int64_t>(row[1]),
                    .occurred_at = InstantOf(row[2]),
                    .message_id = IntOf<int64_t>(row[3]),
                    .queue_entry_id = IntOf<int64_t>(row[4]),
                    .attempt_id = IntOf<int64_t>(row[5]),
                    .kind = StringOf(row[6]),
                    .attempt = IntOf<int16_t>(row[7]),
                    .reply_code = IntOf<int16_t>(row[8]),
                    .duration_micros = IntOf<int64_t>(row[9]),
                    .possible_duplicate = BoolOf(row[10])};
  std::string* const texts[] = {&event.stage,    &event.tenant,      &event.stream,
                                &event.campaign, &event.recipient,   &event.pool,
                                &event.provider, &event.site,        &event.source,
                                &event.mx_host,  &event.mx_address,  &event.enhanced_status,
                                &event.reply,    &event.reply_class, &event.tls,
                                &event.egress,   &event.detail,      &event.times};
  int column = 11;
  for (std::string* text : texts) *text = StringOf(row[column++]);
  event.due_at = MaybeInstantOf(row[column++]);
  event.metadata_json = BytesOf(row[column]);
  return event;
}

class PostgresEventStore final : public EventStore {
 public:
  explicit PostgresEventStore(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<EventPage> Read(int shard, int64_t after_seq, int limit,
                                 const std::string& tenant) override {
    return InTransaction<EventPage>(
        pool_, "read events", [&](pqxx::transaction_base& tx) -> absl::StatusOr<EventPage> {
          Prepare(tx, "read_events", sql::kReadEvents);
          EventPage page{.scanned_to = after_seq};
          for (const pqxx::row& row :
               tx.exec_prepared("read_events", shard, after_seq, limit, tenant)) {
            page.scanned_to = IntOf<int64_t>(row[1]);
            if (BoolOf(row["asked"])) page.events.push_back(EventOf(row));
          }
          // Looked at afterwards: a partition may have been dropped while we read.
          Prepare(tx, "event_floor", sql::kEventFloor);
          const auto floor = IntOf<int64_t>(tx.exec_prepared1("event_floor", shard)[0]);
          if (after_seq >= floor) return page;
          return absl::OutOfRangeError(Cat("events of shard ", shard, " up to ", floor,
                                           " are no longer kept; asked for those after ",
                                           after_seq));
        });
  }

  absl::StatusOr<std::vector<StoredEvent>> ByMessage(int64_t message_id, int limit) override {
    using Answer = std::vector<StoredEvent>;
    return InTransaction<Answer>(
        pool_, "events of message", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Answer> {
          Prepare(tx, "events_of_message", sql::kEventsOfMessage);
          Answer events;
          for (const pqxx::row& row : tx.exec_prepared("events_of_message", message_id, limit)) {
            events.push_back(EventOf(row));
          }
          return events;
        });
  }

  absl::StatusOr<std::vector<ShardSeq>> LastSeqs() override {
    return Seqs("last_seqs", sql::kLastSeqs);
  }
  absl::StatusOr<std::vector<ShardSeq>> OldestSeqs() override {
    return Seqs("oldest_seqs", sql::kOldestSeqs);
  }

 private:
  static void Prepare(pqxx::transaction_base& tx, const char* name, const char* statement) {
    tx.exec(kPlanning);
    tx.conn().prepare(name, statement);
  }

  absl::StatusOr<std::vector<ShardSeq>> Seqs(const char* name, const char* statement) {
    using Answer = std::vector<ShardSeq>;
    return InTransaction<Answer>(
        pool_, "event numbers", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Answer> {
          Prepare(tx, name, statement);
          Answer seqs;
          for (const pqxx::row& row : tx.exec_prepared(name)) {
            seqs.emplace_back(IntOf<int32_t>(row[0]), IntOf<int64_t>(row[1]));
          }
          return seqs;
        });
  }

  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<EventStore> MakeEventStore(ConnectionPool& pool) {
  return std::make_unique<PostgresEventStore>(pool);
}

}  // namespace sluice::storage

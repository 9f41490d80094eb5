#include "storage/entry_store.h"

#include <map>

#include "base/text.h"
#include "mail/limits.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr const char* kSelect =
    "select q.id, q.message_id, micros(q.accepted_at), micros(q.due_at), micros(q.expires_at),"
    " q.attempts, q.priority, q.tenant, q.stream, q.campaign, q.domain, q.sender_domain, "
    "q.recipient,"
    " q.last_source, q.held, q.tags, coalesce(r.provider, 'unresolved'), q.metadata"
    " from queue_entry q left join domain_route r using (domain) where ";

constexpr const char* kFilter =
    " ($1 = '' or q.tenant = $1) and ($2 = '' or q.stream = $2) and ($3 = '' or q.campaign = $3)"
    " and ($4 = '' or q.domain = $4) and ($5 = '' or q.sender_domain = $5)"
    " and ($6 = '' or coalesce(r.provider, 'unresolved') = $6) and ($7 = '' or q.last_source = $7)"
    " and (not $8::boolean or q.held <> '') ";

// Names of group_by and what they group.
const std::map<std::string, const char*, std::less<>>& Groups() {
  static const std::map<std::string, const char*, std::less<>> groups = {
      {"provider", "coalesce(r.provider, 'unresolved')"},
      {"tenant", "q.tenant"},
      {"stream", "q.stream"},
      {"campaign", "q.campaign"},
      {"domain", "q.domain"},
      {"sender_domain", "q.sender_domain"},
      {"source", "q.last_source"},
  };
  return groups;
}

QueueEntryRow EntryOf(const pqxx::row& row) {
  return {.id = IntOf<int64_t>(row[0]),
          .message_id = IntOf<int64_t>(row[1]),
          .accepted_at = InstantOf(row[2]),
          .due_at = InstantOf(row[3]),
          .expires_at = InstantOf(row[4]),
          .attempts = IntOf<int16_t>(row[5]),
          .priority = IntOf<int16_t>(row[6]),
          .tenant = StringOf(row[7]),
          .stream = StringOf(row[8]),
          .campaign = StringOf(row[9]),
          .domain = StringOf(row[10]),
          .sender_domain = StringOf(row[11]),
          .recipient = StringOf(row[12]),
          .last_source = StringOf(row[13]),
          .held = StringOf(row[14]),
          .tags = StringOf(row[15]),
          .provider = StringOf(row[16]),
          .metadata_json = BytesOf(row[17])};
}

class PostgresEntryStore final : public EntryStore {
 public:
  explicit PostgresEntryStore(ConnectionPool& pool) : pool_(pool) {}

  // Entries of a message have consecutive ids from its own on.
  absl::StatusOr<std::vector<QueueEntryRow>> ByMessage(int64_t message_id) override {
    return Read([&](pqxx::transaction_base& tx) {
      return tx.exec_params(Cat(kSelect,
                                "q.id >= $1::bigint and q.id < $2::bigint and q.message_id = "
                                "$1::bigint order by q.id"),
                            message_id, message_id + static_cast<int64_t>(limits::kRecipients));
    });
  }

  absl::StatusOr<std::vector<QueueEntryRow>> List(const QueueFilter& f, int64_t after_id,
                                                  int limit) override {
    return Read([&](pqxx::transaction_base& tx) {
      return tx.exec_params(
          Cat(kSelect, kFilter, "and q.id > $9::bigint order by q.id limit $10::int"), f.tenant,
          f.stream, f.campaign, f.domain, f.sender_domain, f.provider, f.last_source, f.only_held,
          after_id, limit);
    });
  }

  absl::StatusOr<std::vector<QueueGroup>> Summarize(const QueueFilter& f,
                                                    const std::string& group_by,
                                                    int limit) override {
    const auto group = Groups().find(group_by);
    if (group == Groups().end()) {
      return absl::InvalidArgumentError(Cat("the queue cannot be grouped by ", Quoted(group_by)));
    }
    const std::string query =
        Cat("select ", group->second,
            ", count(*), micros(min(q.accepted_at)), micros(min(q.due_at))"
            " from queue_entry q left join domain_route r using (domain) where ",
            kFilter, "group by 1 order by 2 desc, 1 limit $9::int");
    using Answer = std::vector<QueueGroup>;
    return InTransaction<Answer>(
        pool_, "summarize queue", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Answer> {
          Answer groups;
          for (const pqxx::row& row :
               tx.exec_params(query, f.tenant, f.stream, f.campaign, f.domain, f.sender_domain,
                              f.provider, f.last_source, f.only_held, limit)) {
            groups.push_back({.name = StringOf(row[0]),
                              .entries = IntOf<int64_t>(row[1]),
                              .oldest_accepted_at = InstantOf(row[2]),
                              .next_due_at = InstantOf(row[3])});
          }
          return groups;
        });
  }

 private:
  absl::StatusOr<std::vector<QueueEntryRow>> Read(
      const std::function<pqxx::result(pqxx::transaction_base&)>& query) {
    using Answer = std::vector<QueueEntryRow>;
    return InTransaction<Answer>(pool_, "read queue",
                                 [&](pqxx::transaction_base& tx) -> absl::StatusOr<Answer> {
                                   Answer entries;
                                   for (const pqxx::row& row : query(tx))
                                     entries.push_back(EntryOf(row));
                                   return entries;
                                 });
  }

  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<EntryStore> MakeEntryStore(ConnectionPool& pool) {
  return std::make_unique<PostgresEntryStore>(pool);
}

}  // namespace sluice::storage

#include "storage/health_store.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/inbox_columns.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr const char* kList = R"sql(
select source, tenant, sender_domain, provider, state, rule, evidence, worst, score, micros(since), micros(until),
       micros(rested_at), micros(counted_from), micros(probing_since), strikes, usual, override_state, micros(override_until),
       override_reason, override_author
from health_state order by source, tenant, sender_domain, provider)sql";

#define SLUICE_AT(n) "timestamptz 'epoch' + $" #n "::bigint * interval '1 microsecond'"
constexpr const char* kSave =
    "insert into health_state values ($1, $2, $3, $4, $5, $6, $7, $8, $9, " SLUICE_AT(10) ", " SLUICE_AT(11) ", "
    SLUICE_AT(12) ", " SLUICE_AT(13) ", " SLUICE_AT(14) ", $15, $16, $17, " SLUICE_AT(18) ", $19, $20)"
    " on conflict (source, tenant, sender_domain, provider) do update set"
    " state = excluded.state, rule = excluded.rule, evidence = excluded.evidence, worst = excluded.worst,"
    " score = excluded.score, since = excluded.since, until = excluded.until, rested_at = excluded.rested_at,"
    " counted_from = excluded.counted_from, probing_since = excluded.probing_since, strikes = excluded.strikes,"
    " usual = excluded.usual, override_state = excluded.override_state, override_until = excluded.override_until,"
    " override_reason = excluded.override_reason, override_author = excluded.override_author";
#undef SLUICE_AT

constexpr const char* kForget =
    "delete from health_state where (source, tenant, sender_domain, provider) = ($1, $2, $3, $4)";

StoredHealth HealthOfRow(const pqxx::row& row) {
  StoredHealth out;
  out.subject = {StringOf(row[0]), StringOf(row[1]), StringOf(row[2]), StringOf(row[3])};
  out.status = {.state = ParseHealthState(ViewOf(row[4])).value_or(HealthState::kHealthy),
                .rule = StringOf(row[5]),
                .evidence = StringOf(row[6]),
                .worst = StringOf(row[7]),
                .score = row[8].as<double>(),
                .since = InstantOf(row[9]),
                .until = InstantOf(row[10]),
                .rested_at = InstantOf(row[11]),
                .counted_from = InstantOf(row[12]),
                .probing_since = MaybeInstantOf(row[13]).value_or(Instant{}),
                .strikes = IntOf<int32_t>(row[14]),
                .usual = row[15].as<double>()};
  if (const auto state = ParseHealthState(ViewOf(row[16]))) {
    out.override = HealthOverride{*state, MaybeInstantOf(row[17]), StringOf(row[18]), StringOf(row[19])};
  }
  return out;
}

void SaveOne(pqxx::transaction_base& tx, const StoredHealth& health) {
  const HealthSubject& subject = health.subject;
  const HealthStatus& s = health.status;
  std::optional<int64_t> probing_since, override_until;
  if (s.is_probing()) probing_since = ToMicros(s.probing_since);
  const HealthOverride none;
  const HealthOverride& over = health.override ? *health.override : none;
  if (over.until) override_until = ToMicros(*over.until);
  tx.exec_params0(kSave, subject.source, subject.tenant, subject.sender_domain, subject.provider, std::string(ToString(s.state)),
                  s.rule, s.evidence, s.worst, s.score, ToMicros(s.since), ToMicros(s.until), ToMicros(s.rested_at),
                  ToMicros(s.counted_from), probing_since, s.strikes, s.usual,
                  health.override ? std::string(ToString(over.state)) : std::string(), override_until, over.reason, over.author);
}

class PostgresHealthStore final : public HealthStore {
 public:
  explicit PostgresHealthStore(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<std::vector<StoredHealth>> List() override {
    using All = std::vector<StoredHealth>;
    return InTransaction<All>(pool_, "list health", [](pqxx::transaction_base& tx) -> absl::StatusOr<All> {
      All all;
      for (const pqxx::row& row : tx.exec(kList)) all.push_back(HealthOfRow(row));
      return all;
    });
  }

  absl::Status Save(const std::vector<StoredHealth>& health, const std::vector<InboxNote>& notes) override {
    if (health.empty() && notes.empty()) return absl::OkStatus();
    return RunTransaction(pool_, "save health", [&](pqxx::transaction_base& tx) {
      for (const StoredHealth& one : health) SaveOne(tx, one);
      InboxColumns columns;
      for (const InboxNote& note : notes) columns.Add(note);
      if (!notes.empty()) tx.exec_params0(sql::kPostNotes, columns.ToParameters().dynamic());
      return absl::OkStatus();
    });
  }

  absl::Status Forget(const std::vector<HealthSubject>& subjects) override {
    if (subjects.empty()) return absl::OkStatus();
    return RunTransaction(pool_, "forget health", [&](pqxx::transaction_base& tx) {
      for (const HealthSubject& s : subjects) tx.exec_params0(kForget, s.source, s.tenant, s.sender_domain, s.provider);
      return absl::OkStatus();
    });
  }

 private:
  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<HealthStore> MakeHealthStore(ConnectionPool& pool) { return std::make_unique<PostgresHealthStore>(pool); }

}  // namespace sluice::storage

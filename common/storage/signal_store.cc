#include "storage/signal_store.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/inbox_columns.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr const char* kList = R"sql(
select source, sender_domain, provider, name, verdict, word, value, detail, case when $1 then raw else '' end, micros(checked_at),
       micros(changed_at), micros(failed_at), failure, positives, negatives, micros(first_positive_at), amount
from reputation_signal order by source, sender_domain, provider, name)sql";

#define SLUICE_AT(n) "timestamptz 'epoch' + $" #n "::bigint * interval '1 microsecond'"
constexpr const char* kSave =
    "insert into reputation_signal (source, sender_domain, provider, name, verdict, word, value, detail, raw, checked_at,"
    " changed_at, failed_at, failure, positives, negatives, first_positive_at, amount)"
    " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, " SLUICE_AT(10) ", " SLUICE_AT(11) ", " SLUICE_AT(12) ", $13, $14, $15, "
    SLUICE_AT(16) ", $17)"
    " on conflict (source, sender_domain, provider, name) do update set verdict = excluded.verdict, word = excluded.word,"
    " value = excluded.value, detail = excluded.detail, raw = excluded.raw, checked_at = excluded.checked_at,"
    " changed_at = excluded.changed_at, failed_at = excluded.failed_at, failure = excluded.failure,"
    " positives = excluded.positives, negatives = excluded.negatives, first_positive_at = excluded.first_positive_at, amount = excluded.amount";
#undef SLUICE_AT

constexpr const char* kForget =
    "delete from reputation_signal where (source, sender_domain, provider, name) = ($1, $2, $3, $4)";

StoredSignal SignalOfRow(const pqxx::row& row) {
  return {.source = StringOf(row[0]),
          .sender_domain = StringOf(row[1]),
          .provider = StringOf(row[2]),
          .name = StringOf(row[3]),
          .verdict = StringOf(row[4]),
          .word = StringOf(row[5]),
          .value = StringOf(row[6]),
          .detail = StringOf(row[7]),
          .raw = StringOf(row[8]),
          .amount = row[16].as<double>(),
          .checked_at = InstantOf(row[9]),
          .changed_at = InstantOf(row[10]),
          .failed_at = MaybeInstantOf(row[11]),
          .failure = StringOf(row[12]),
          .positives = IntOf<int32_t>(row[13]),
          .negatives = IntOf<int32_t>(row[14]),
          .first_positive_at = MaybeInstantOf(row[15])};
}

std::optional<int64_t> Micros(const std::optional<Instant>& at) {
  return at ? std::optional(ToMicros(*at)) : std::nullopt;
}

class PostgresSignalStore final : public SignalStore {
 public:
  explicit PostgresSignalStore(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<std::vector<StoredSignal>> List(bool with_raw) override {
    using All = std::vector<StoredSignal>;
    return InTransaction<All>(pool_, "list signals", [&](pqxx::transaction_base& tx) -> absl::StatusOr<All> {
      All all;
      for (const pqxx::row& row : tx.exec_params(kList, with_raw)) all.push_back(SignalOfRow(row));
      return all;
    });
  }

  absl::Status Save(const std::vector<StoredSignal>& signals, const std::vector<InboxNote>& notes) override {
    if (signals.empty() && notes.empty()) return absl::OkStatus();
    return RunTransaction(pool_, "save signals", [&](pqxx::transaction_base& tx) {
      for (const StoredSignal& s : signals) {
        tx.exec_params0(kSave, s.source, s.sender_domain, s.provider, s.name, s.verdict, s.word, s.value, s.detail, s.raw,
                        ToMicros(s.checked_at), ToMicros(s.changed_at), Micros(s.failed_at), s.failure, s.positives, s.negatives,
                        Micros(s.first_positive_at), s.amount);
      }
      InboxColumns columns;
      for (const InboxNote& note : notes) columns.Add(note);
      if (!notes.empty()) tx.exec_params0(sql::kPostNotes, columns.ToParameters().dynamic());
      return absl::OkStatus();
    });
  }

  absl::Status Forget(const std::vector<StoredSignal>& signals) override {
    if (signals.empty()) return absl::OkStatus();
    return RunTransaction(pool_, "forget signals", [&](pqxx::transaction_base& tx) {
      for (const StoredSignal& s : signals) tx.exec_params0(kForget, s.source, s.sender_domain, s.provider, s.name);
      return absl::OkStatus();
    });
  }

 private:
  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<SignalStore> MakeSignalStore(ConnectionPool& pool) { return std::make_unique<PostgresSignalStore>(pool); }

}  // namespace sluice::storage

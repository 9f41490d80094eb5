#include "storage/warmup_store.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr const char* kStates = R"sql(
select address, provider, source, plan, plan_version, phase, stage, held, start_day - date 'epoch', micros(suspended_until),
       suspensions, micros(suspended_at), micros(slowed_at), judged_day - date 'epoch', active_day - date 'epoch', micros(judged_at),
       decision, why, evidence, lowered, revision, until_delisted, evidence_day - date 'epoch', micros(resumed_at)
from warmup_state order by source, provider)sql";

// A row that was never stored has revision 0.
constexpr const char* kWrite = R"sql(
insert into warmup_state as s
  (address, provider, source, plan, plan_version, phase, stage, held, start_day, suspended_until, suspensions, suspended_at,
   slowed_at, judged_day, active_day, judged_at, decision, why, evidence, lowered, until_delisted, evidence_day, resumed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, date 'epoch' + nullif($9::int, -1),
        timestamptz 'epoch' + nullif($10::bigint, -1) * interval '1 microsecond', $11,
        timestamptz 'epoch' + $12::bigint * interval '1 microsecond', timestamptz 'epoch' + $13::bigint * interval '1 microsecond',
        date 'epoch' + $14::int, date 'epoch' + $15::int, timestamptz 'epoch' + $16::bigint * interval '1 microsecond', $17, $18, $19,
        $20, $22, date 'epoch' + $23::int, timestamptz 'epoch' + $24::bigint * interval '1 microsecond')
on conflict (address, provider) do update
set source = excluded.source, plan = excluded.plan, plan_version = excluded.plan_version, phase = excluded.phase,
    stage = excluded.stage, held = excluded.held, start_day = excluded.start_day, suspended_until = excluded.suspended_until,
    suspensions = excluded.suspensions, suspended_at = excluded.suspended_at, slowed_at = excluded.slowed_at,
    judged_day = excluded.judged_day, active_day = excluded.active_day, judged_at = excluded.judged_at,
    decision = excluded.decision, why = excluded.why, evidence = excluded.evidence, lowered = excluded.lowered,
    until_delisted = excluded.until_delisted, evidence_day = excluded.evidence_day, resumed_at = excluded.resumed_at,
    revision = s.revision + 1
where s.revision = $21::bigint
returning 1)sql";

constexpr const char* kAddEvent = R"sql(
insert into warmup_event (at, day, source, address, provider, decision, why, evidence, from_stage, to_stage, phase, actor)
values (timestamptz 'epoch' + $1::bigint * interval '1 microsecond', date 'epoch' + $2::int, $3, $4, $5, $6, $7, $8, $9, $10, $11,
        $12))sql";

constexpr const char* kPin = R"sql(
insert into warmup_plan (name, version, stages, pinned_at)
select $1, greatest($2::int, coalesce((select max(version) + 1 from warmup_plan where name = $1), 0)), $3,
       timestamptz 'epoch' + $4::bigint * interval '1 microsecond'
where not exists (select from warmup_plan where name = $1 and stages = $3))sql";

constexpr const char* kHistory = R"sql(
select id, micros(at), day - date 'epoch', source, address, provider, decision, why, evidence, from_stage, to_stage, phase, actor
from warmup_event
where ($1 = '' or source = $1) and ($2 = '' or provider = $2) and ($3::bigint = 0 or id < $3::bigint)
order by id desc limit $4)sql";

// A person's word about health stands above what was judged.
constexpr const char* kOpinions = R"sql(
select source, provider, 'signal', word, name || ': ' || value || case when detail = '' then '' else '; ' || detail end, micros(changed_at)
from reputation_signal where source <> '' and word <> ''
union all
select source, provider, 'health', h.acts, h.acts || ', ' || rule || ': ' || evidence, micros(since)
from health_state, lateral (
  select case when override_state <> '' and (override_until is null or override_until > timestamptz 'epoch' + $1::bigint * interval '1 microsecond')
              then override_state else state end as acts) h
where source <> '' and h.acts in ('throttled', 'suspended', 'quarantined')
union all
select source, provider, 'refusal', rule, evidence, micros(since)
from sending_constraint
where cause = 'automation' and source <> '' and tenant || stream || campaign || domain || pool = ''
  and (until is null or until > timestamptz 'epoch' + $1::bigint * interval '1 microsecond'))sql";

constexpr const char* kComplaints = R"sql(
select source, provider, sum(count)::bigint from reputation_count
where kind = 'complained' and source <> '' and last_at >= timestamptz 'epoch' + $1::bigint * interval '1 microsecond'
group by source, provider
order by source, provider)sql";

constexpr const char* kSetWaiting = R"sql(
with gone as (
  delete from warmup_waiting w
  where seen_at < clock_timestamp() - interval '1 hour'
     or (scheduler = ($1::text[])[1] and not exists (select from unnest($2::text[], $3::text[]) as r(a, p) where r.a = w.address and r.p = w.provider))
)
insert into warmup_waiting as w (scheduler, address, provider, entries, seen_at)
select ($1::text[])[1], a, p, n, clock_timestamp() from unnest($2::text[], $3::text[], $4::bigint[]) as r(a, p, n)
order by a, p
on conflict (scheduler, address, provider) do update set entries = excluded.entries, seen_at = excluded.seen_at)sql";

constexpr const char* kWaiting = R"sql(
select address, provider, sum(entries)::bigint from warmup_waiting
where seen_at > clock_timestamp() - interval '15 seconds'
group by address, provider)sql";

std::optional<int64_t> MaybeInt(const pqxx::field& field) {
  if (field.is_null()) return std::nullopt;
  return IntOf<int64_t>(field);
}

WarmupStateRow StateOf(const pqxx::row& row) {
  return {.address = StringOf(row[0]),
          .provider = StringOf(row[1]),
          .source = StringOf(row[2]),
          .plan = StringOf(row[3]),
          .plan_version = IntOf<int32_t>(row[4]),
          .phase = StringOf(row[5]),
          .stage = IntOf<int32_t>(row[6]),
          .held = BoolOf(row[7]),
          .start_day = MaybeInt(row[8]),
          .suspended_until = MaybeInstantOf(row[9]),
          .until_delisted = BoolOf(row[21]),
          .suspensions = IntOf<int32_t>(row[10]),
          .suspended_at = InstantOf(row[11]),
          .slowed_at = InstantOf(row[12]),
          .resumed_at = InstantOf(row[23]),
          .judged_day = IntOf<int64_t>(row[13]),
          .active_day = IntOf<int64_t>(row[14]),
          .evidence_day = IntOf<int64_t>(row[22]),
          .judged_at = InstantOf(row[15]),
          .decision = StringOf(row[16]),
          .why = StringOf(row[17]),
          .evidence = StringOf(row[18]),
          .lowered = IntOf<int64_t>(row[19]),
          .revision = IntOf<int64_t>(row[20])};
}

WarmupEventRow EventOf(const pqxx::row& row) {
  return {.id = IntOf<int64_t>(row[0]),
          .at = InstantOf(row[1]),
          .day = IntOf<int64_t>(row[2]),
          .source = StringOf(row[3]),
          .address = StringOf(row[4]),
          .provider = StringOf(row[5]),
          .decision = StringOf(row[6]),
          .why = StringOf(row[7]),
          .evidence = StringOf(row[8]),
          .from_stage = IntOf<int32_t>(row[9]),
          .to_stage = IntOf<int32_t>(row[10]),
          .phase = StringOf(row[11]),
          .actor = StringOf(row[12])};
}

// -1 stands for null.
absl::StatusOr<bool> WriteState(pqxx::transaction_base& tx, const WarmupStateRow& s) {
  const int64_t suspended = s.suspended_until ? ToMicros(*s.suspended_until) : -1;
  return !tx.exec_params(kWrite, s.address, s.provider, s.source, s.plan, s.plan_version, s.phase, s.stage, s.held,
                         s.start_day.value_or(-1), suspended, s.suspensions, ToMicros(s.suspended_at), ToMicros(s.slowed_at),
                         s.judged_day, s.active_day, ToMicros(s.judged_at), s.decision, s.why, s.evidence, s.lowered,
                         s.revision, s.until_delisted, s.evidence_day, ToMicros(s.resumed_at))
              .empty();
}

void AddEvent(pqxx::transaction_base& tx, const WarmupEventRow& e) {
  tx.exec_params0(kAddEvent, ToMicros(e.at), e.day, e.source, e.address, e.provider, e.decision, e.why, e.evidence, e.from_stage,
                  e.to_stage, e.phase, e.actor);
}

class PostgresWarmupStore final : public WarmupStore {
 public:
  explicit PostgresWarmupStore(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<std::vector<WarmupStateRow>> States() override {
    return Read<WarmupStateRow>("warmup states", StateOf, [](pqxx::transaction_base& tx) { return tx.exec(kStates); });
  }

  absl::StatusOr<int64_t> Stamp() override {
    return InTransaction<int64_t>(pool_, "warmup stamp", [](pqxx::transaction_base& tx) -> absl::StatusOr<int64_t> {
      return IntOf<int64_t>(tx.exec1("select coalesce(sum(revision), 0)::bigint from warmup_state")[0]);
    });
  }

  absl::Status Write(const std::vector<WarmupChange>& changes) override {
    return RunTransaction(pool_, "write warmup", [&](pqxx::transaction_base& tx) -> absl::Status {
      for (const WarmupChange& change : changes) {
        ASSIGN_OR_RETURN(const bool current, WriteState(tx, change.state));
        if (!current) {
          return absl::AbortedError(Cat("warmup of ", change.state.source, " at ", change.state.provider, " was changed meanwhile"));
        }
        if (change.event) AddEvent(tx, *change.event);
      }
      return absl::OkStatus();
    });
  }

  absl::StatusOr<WarmupPlanRow> Pin(const WarmupPlanRow& plan, Instant now) override {
    return InTransaction<WarmupPlanRow>(
        pool_, "pin warmup plan", [&](pqxx::transaction_base& tx) -> absl::StatusOr<WarmupPlanRow> {
          tx.exec_params0(kPin, plan.name, plan.version, plan.stages, ToMicros(now));
          const pqxx::row row = tx.exec_params1("select max(version) from warmup_plan where name = $1 and stages = $2", plan.name, plan.stages);
          return WarmupPlanRow{.name = plan.name, .version = IntOf<int32_t>(row[0]), .stages = plan.stages};
        });
  }

  absl::StatusOr<std::vector<WarmupPlanRow>> Plans() override {
    const auto read = [](const pqxx::row& row) {
      return WarmupPlanRow{.name = StringOf(row[0]), .version = IntOf<int32_t>(row[1]), .stages = StringOf(row[2])};
    };
    return Read<WarmupPlanRow>("warmup plans", read, [](pqxx::transaction_base& tx) {
      return tx.exec("select name, version, stages from warmup_plan order by name, version");
    });
  }

  absl::StatusOr<std::vector<WarmupOpinionRow>> Opinions(Instant now) override {
    const auto read = [](const pqxx::row& row) {
      return WarmupOpinionRow{.source = StringOf(row[0]), .provider = StringOf(row[1]), .kind = StringOf(row[2]), .word = StringOf(row[3]),
                              .evidence = StringOf(row[4]), .since = InstantOf(row[5])};
    };
    return Read<WarmupOpinionRow>("warmup opinions", read,
                                  [&](pqxx::transaction_base& tx) { return tx.exec_params(kOpinions, ToMicros(now)); });
  }

  absl::StatusOr<std::vector<WarmupComplaintsRow>> Complaints(Instant from) override {
    const auto read = [](const pqxx::row& row) {
      return WarmupComplaintsRow{.source = StringOf(row[0]), .provider = StringOf(row[1]), .count = IntOf<int64_t>(row[2])};
    };
    return Read<WarmupComplaintsRow>("warmup complaints", read,
                                     [&](pqxx::transaction_base& tx) { return tx.exec_params(kComplaints, ToMicros(from)); });
  }

  absl::Status SetWaiting(const std::string& scheduler, const std::vector<WarmupWaitingRow>& rows) override {
    BinaryArray<Text> address, provider;
    BinaryArray<int64_t> entries;
    for (const WarmupWaitingRow& row : rows) {
      address.Add(row.address);
      provider.Add(row.provider);
      entries.Add(row.entries);
    }
    Parameters parameters;
    parameters.Add(ArrayOf<Text>(std::vector<std::string>{scheduler})).Add(address).Add(provider).Add(entries);
    return RunTransaction(pool_, "set warmup waiting", [&](pqxx::transaction_base& tx) {
      tx.exec_params(kSetWaiting, parameters.dynamic());
      return absl::OkStatus();
    });
  }

  absl::StatusOr<std::vector<WarmupWaitingRow>> Waiting() override {
    const auto read = [](const pqxx::row& row) {
      return WarmupWaitingRow{.address = StringOf(row[0]), .provider = StringOf(row[1]), .entries = IntOf<int64_t>(row[2])};
    };
    return Read<WarmupWaitingRow>("warmup waiting", read, [](pqxx::transaction_base& tx) { return tx.exec(kWaiting); });
  }

  absl::StatusOr<std::vector<WarmupEventRow>> History(const std::string& source, const std::string& provider, int64_t before,
                                                      int limit) override {
    return Read<WarmupEventRow>("warmup history", EventOf, [&](pqxx::transaction_base& tx) {
      return tx.exec_params(kHistory, source, provider, before, limit);
    });
  }

 private:
  template <class Row, class Make, class Ask>
  absl::StatusOr<std::vector<Row>> Read(std::string_view name, Make make, Ask ask) {
    using Rows = std::vector<Row>;
    return InTransaction<Rows>(pool_, name, [&](pqxx::transaction_base& tx) -> absl::StatusOr<Rows> {
      Rows rows;
      for (const pqxx::row& row : ask(tx)) rows.push_back(make(row));
      return rows;
    });
  }

  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<WarmupStore> MakeWarmupStore(ConnectionPool& pool) { return std::make_unique<PostgresWarmupStore>(pool); }

}  // namespace sluice::storage

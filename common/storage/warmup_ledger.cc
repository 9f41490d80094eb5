#include "storage/warmup_ledger.h"

#include "base/text.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr const char* kToday = R"sql(
select d.day - date 'epoch', micros(d.starts_at), micros(d.ends_at), micros(t.at)
from (select clock_timestamp() as at) t, lateral warmup_day_at(t.at) d)sql";

// `held` locks every row that is asked about, totals included, so what is computed from them stays true until `written`.
// room = least(cap, even share + burst) - used, as in policy/warmup_pace.h.
constexpr const char* kDraw = R"sql(
with today as materialized (
  select t.at, d.* from (select clock_timestamp() as at) t, lateral warmup_day_at(t.at) d
), wanted as materialized (
  select * from unnest($1::text[], $2::text[], $3::bigint[]) with ordinality as w(address, provider, n, ord)
), held as materialized (
  select l.address, l.provider, l.cap, l.granted - l.returned as used, l.opens_at, l.closes_at, l.stopped_until
  from warmup_ledger l
  where l.day = (select day from today)
    and l.address = any ($1::text[]) and l.provider = any ($2::text[] || '*'::text)
  order by l.address, l.provider for update
), room as materialized (
  select h.*,
    case when t.at < h.stopped_until then 0
         when h.cap is null then 1000000000
         when h.cap = 0 or t.at < h.opens_at then 0
         else least(h.cap,
                    floor(h.cap * least(1, extract(epoch from t.at - h.opens_at)
                                           / greatest(extract(epoch from h.closes_at - h.opens_at), 0.000001)))
                      + greatest(1, h.cap / 50)) - h.used end as n
  from held h, today t
), pair as (
  select w.ord, w.address, w.provider, greatest(0, least(w.n, p.n))::bigint as n, greatest(0, t.n)::bigint as total
  from wanted w
  join room p on p.address = w.address and p.provider = w.provider
  join room t on t.address = w.address and t.provider = '*'
), given as materialized (
  select ord, address, provider,
    greatest(0, least(n, total - coalesce(sum(n) over (partition by address order by ord
                                                       rows between unbounded preceding and 1 preceding), 0)))::bigint as n
  from pair
), written as (
  update warmup_ledger l set granted = l.granted + g.n
  from (select address, provider, n from given where n > 0
        union all select address, '*', sum(n)::bigint from given where n > 0 group by address) g
  where l.day = (select day from today) and l.address = g.address and l.provider = g.provider
)
select w.ord, coalesce(g.n, 0), g.n is not null,
       p.cap, coalesce(p.used, 0) + coalesce(g.n, 0), micros(p.opens_at), micros(p.closes_at), micros(p.stopped_until),
       s.cap, coalesce(s.used, 0) + coalesce((select sum(x.n) from given x where x.address = w.address), 0)::bigint,
       micros(s.opens_at), micros(s.closes_at), micros(s.stopped_until),
       t.day - date 'epoch', micros(t.starts_at), micros(t.ends_at), micros(t.at)
from wanted w cross join today t
left join given g using (ord)
left join room p on p.address = w.address and p.provider = w.provider
left join room s on s.address = w.address and s.provider = '*'
order by w.ord)sql";

constexpr const char* kRecord = R"sql(
with given as (
  select date 'epoch' + d::int as day, a as address, p as provider, sum(r) as returned, sum(at) as attempted, sum(ac) as accepted,
         sum(de) as deferred, sum(th) as throttled, sum(bo) as bounced, sum(bl) as blocked, sum(co) as complained
  from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
              $9::bigint[], $10::bigint[], $11::bigint[]) as c(d, a, p, r, at, ac, de, th, bo, bl, co)
  group by 1, 2, 3
), added as materialized (
  select * from given
  union all
  select day, address, '*', sum(returned), sum(attempted), sum(accepted), sum(deferred), sum(throttled), sum(bounced), sum(blocked),
         sum(complained)
  from given group by day, address
), held as materialized (
  select l.address, l.provider, l.day from warmup_ledger l join added a using (address, provider, day)
  order by l.address, l.provider, l.day for update of l
)
update warmup_ledger l
set returned = least(l.granted, l.returned + a.returned), attempted = l.attempted + a.attempted, accepted = l.accepted + a.accepted,
    deferred = l.deferred + a.deferred, throttled = l.throttled + a.throttled, bounced = l.bounced + a.bounced,
    blocked = l.blocked + a.blocked, complained = l.complained + a.complained
from added a join held h using (address, provider, day)
where l.address = a.address and l.provider = a.provider and l.day = a.day)sql";

constexpr const char* kOpen = R"sql(
insert into warmup_ledger (day, address, provider, cap, opens_at, closes_at, stopped_until)
select date 'epoch' + d::int, a, p, nullif(c, -1), timestamptz 'epoch' + o * interval '1 microsecond',
       timestamptz 'epoch' + e * interval '1 microsecond', timestamptz 'epoch' + s * interval '1 microsecond'
from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
     as r(d, a, p, c, o, e, s)
order by a, p, d
on conflict (address, provider, day) do nothing)sql";

constexpr const char* kLimit = R"sql(
update warmup_ledger set cap = least(cap, nullif($4::bigint, -1)),
                         stopped_until = timestamptz 'epoch' + $5::bigint * interval '1 microsecond'
where address = $2 and provider = $3 and day = date 'epoch' + $1::int)sql";

constexpr const char* kRows = R"sql(
select day - date 'epoch', address, provider, cap, micros(opens_at), micros(closes_at), micros(stopped_until), granted, returned, attempted, accepted,
       deferred, throttled, bounced, blocked, complained
from warmup_ledger
where ($1 = '' or address = $1) and day between date 'epoch' + $2::int and date 'epoch' + $3::int
order by address, provider, day)sql";

std::optional<int64_t> CapOf(const pqxx::field& field) {
  if (field.is_null()) return std::nullopt;
  return IntOf<int64_t>(field);
}

LedgerPace PaceOf(const pqxx::row& row, int first) {
  return {.cap = CapOf(row[first]),
          .used = IntOf<int64_t>(row[first + 1]),
          .opens_at = InstantOf(row[first + 2]),
          .closes_at = InstantOf(row[first + 3]),
          .stopped_until = InstantOf(row[first + 4])};
}

LedgerRow RowOf(const pqxx::row& row) {
  return {.day = IntOf<int64_t>(row[0]),
          .address = StringOf(row[1]),
          .provider = StringOf(row[2]),
          .cap = CapOf(row[3]),
          .opens_at = InstantOf(row[4]),
          .closes_at = InstantOf(row[5]),
          .stopped_until = InstantOf(row[6]),
          .granted = IntOf<int64_t>(row[7]),
          .returned = IntOf<int64_t>(row[8]),
          .attempted = IntOf<int64_t>(row[9]),
          .accepted = IntOf<int64_t>(row[10]),
          .deferred = IntOf<int64_t>(row[11]),
          .throttled = IntOf<int64_t>(row[12]),
          .bounced = IntOf<int64_t>(row[13]),
          .blocked = IntOf<int64_t>(row[14]),
          .complained = IntOf<int64_t>(row[15])};
}

Granted GrantedOf(const pqxx::row& row) {
  Granted out{.count = IntOf<int64_t>(row[1]), .is_open = BoolOf(row[2])};
  if (!out.is_open) return out;
  out.provider = PaceOf(row, 3);
  out.total = PaceOf(row, 8);
  return out;
}

class PostgresWarmupLedger final : public WarmupLedger {
 public:
  explicit PostgresWarmupLedger(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<LedgerDay> Today() override {
    return InTransaction<LedgerDay>(pool_, "warmup day", [](pqxx::transaction_base& tx) -> absl::StatusOr<LedgerDay> {
      return DayOfRow(tx.exec1(kToday), 0);
    });
  }

  absl::StatusOr<GrantAnswer> Draw(const std::vector<GrantRequest>& requests) override {
    BinaryArray<Text> address, provider;
    BinaryArray<int64_t> wanted;
    for (const GrantRequest& request : requests) {
      address.Add(request.address);
      provider.Add(request.provider);
      wanted.Add(request.wanted);
    }
    Parameters parameters;
    parameters.Add(address).Add(provider).Add(wanted);
    return InTransaction<GrantAnswer>(
        pool_, "draw grants", [&](pqxx::transaction_base& tx) -> absl::StatusOr<GrantAnswer> {
          GrantAnswer answer;
          for (const pqxx::row& row : tx.exec_params(kDraw, parameters.dynamic())) {
            answer.day = DayOfRow(row, 13);
            answer.grants.push_back(GrantedOf(row));
          }
          return answer;
        });
  }

  absl::Status Record(const std::vector<LedgerCounts>& counts) override {
    BinaryArray<Text> address, provider;
    BinaryArray<int64_t> day, returned, attempted, accepted, deferred, throttled, bounced, blocked, complained;
    for (const LedgerCounts& c : counts) {
      day.Add(c.day);
      address.Add(c.address);
      provider.Add(c.provider);
      returned.Add(c.returned);
      attempted.Add(c.attempted);
      accepted.Add(c.accepted);
      deferred.Add(c.deferred);
      throttled.Add(c.throttled);
      bounced.Add(c.bounced);
      blocked.Add(c.blocked);
      complained.Add(c.complained);
    }
    Parameters parameters;
    parameters.Add(day).Add(address).Add(provider).Add(returned).Add(attempted).Add(accepted).Add(deferred).Add(throttled);
    parameters.Add(bounced).Add(blocked).Add(complained);
    return Write("record warmup", kRecord, parameters);
  }

  absl::Status Open(const std::vector<LedgerRow>& rows) override {
    BinaryArray<Text> address, provider;
    BinaryArray<int64_t> day, cap, opens, closes, stopped;
    for (const LedgerRow& row : rows) {
      day.Add(row.day);
      address.Add(row.address);
      provider.Add(row.provider);
      cap.Add(row.cap.value_or(-1));
      opens.Add(ToMicros(row.opens_at));
      closes.Add(ToMicros(row.closes_at));
      stopped.Add(ToMicros(row.stopped_until));
    }
    Parameters parameters;
    parameters.Add(day).Add(address).Add(provider).Add(cap).Add(opens).Add(closes).Add(stopped);
    return Write("open warmup day", kOpen, parameters);
  }

  absl::Status Limit(int64_t day, const std::string& address, const std::string& provider, std::optional<int64_t> cap,
                     Instant stopped_until) override {
    return RunTransaction(pool_, "limit warmup", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(kLimit, day, address, provider, cap.value_or(-1), ToMicros(stopped_until));
      return absl::OkStatus();
    });
  }

  absl::StatusOr<std::vector<LedgerRow>> Rows(const std::string& address, int64_t first, int64_t last) override {
    using Rows = std::vector<LedgerRow>;
    return InTransaction<Rows>(pool_, "warmup rows", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Rows> {
      Rows rows;
      for (const pqxx::row& row : tx.exec_params(kRows, address, first, last)) rows.push_back(RowOf(row));
      return rows;
    });
  }

  absl::Status Trim(int64_t before) override {
    return RunTransaction(pool_, "trim warmup", [&](pqxx::transaction_base& tx) {
      tx.exec_params0("delete from warmup_ledger where day < date 'epoch' + $1::int", before);
      tx.exec_params0("delete from warmup_event where day < date 'epoch' + $1::int", before);
      return absl::OkStatus();
    });
  }

  absl::Status SetCalendar(const std::string& zone, Duration day_length) override {
    return RunTransaction(pool_, "set warmup calendar", [&](pqxx::transaction_base& tx) -> absl::Status {
      if (tx.exec_params("select from pg_timezone_names where name = $1", zone).empty()) {
        return absl::InvalidArgumentError(Cat("warmup.zone: ", Quoted(zone), " is no time zone; write one such as UTC or Europe/Berlin"));
      }
      tx.exec_params0(
          "update warmup_calendar set zone = $1, day_micros = $2::bigint"
          " where (zone, day_micros) is distinct from ($1, $2::bigint)",
          zone, day_length.count());
      return absl::OkStatus();
    });
  }

 private:
  static LedgerDay DayOfRow(const pqxx::row& row, int first) {
    return {.day = IntOf<int64_t>(row[first]),
            .starts_at = InstantOf(row[first + 1]),
            .ends_at = InstantOf(row[first + 2]),
            .now = InstantOf(row[first + 3])};
  }

  absl::Status Write(std::string_view name, const char* statement, const Parameters& parameters) {
    return RunTransaction(pool_, name, [&](pqxx::transaction_base& tx) {
      tx.exec_params0(statement, parameters.dynamic());
      return absl::OkStatus();
    });
  }

  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<WarmupLedger> MakeWarmupLedger(ConnectionPool& pool) {
  return std::make_unique<PostgresWarmupLedger>(pool);
}

}  // namespace sluice::storage

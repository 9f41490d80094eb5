#include "storage/constraint_store.h"

#include "base/status.h"
#include "base/text.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

// Also takes turns: changes are numbered in the order in which they commit.
constexpr const char* kNextGeneration =
    "update constraint_generation set generation = generation + 1 returning generation";
constexpr const char* kGeneration = "select generation from constraint_generation";

constexpr const char* kList = R"sql(
select id, cause, rule, source, provider, pool, tenant, stream, campaign, domain, site, value, evidence, micros(since),
       micros(until), author, sender_domain
from sending_constraint
where until is null or until > timestamptz 'epoch' + $1::bigint * interval '1 microsecond'
order by id)sql";

constexpr const char* kPut = R"sql(
insert into sending_constraint as c
  (cause, rule, source, provider, pool, tenant, stream, campaign, domain, site, value, evidence, since, until, author,
   sender_domain)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, timestamptz 'epoch' + $13::bigint * interval '1 microsecond',
        timestamptz 'epoch' + $14::bigint * interval '1 microsecond', $15, $16)
on conflict (cause, rule, source, provider, pool, tenant, stream, campaign, domain, site, sender_domain) do update
set value = excluded.value, evidence = excluded.evidence, until = excluded.until, author = excluded.author,
    since = case when c.until <= excluded.since then excluded.since else c.since end
where (c.value, c.evidence, c.until, c.author)
   is distinct from (excluded.value, excluded.evidence, excluded.until, excluded.author)
returning id)sql";

constexpr const char* kIdOf = R"sql(
select id from sending_constraint
where (cause, rule, source, provider, pool, tenant, stream, campaign, domain, site, sender_domain)
    = ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11))sql";

constexpr const char* kEnd =
    "delete from sending_constraint where cause = $1 and id = any($2::text::bigint[]) returning id";

constexpr const char* kEndScope = R"sql(
delete from sending_constraint
where (cause, source, provider, pool, tenant, stream, campaign, domain, site, sender_domain)
    = ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
returning id)sql";

constexpr const char* kSweep =
    "delete from sending_constraint where until < timestamptz 'epoch' + $1::bigint * interval '1 microsecond'";

absl::StatusOr<Constraint> ConstraintOf(const pqxx::row& row) {
  Constraint out{.id = IntOf<int64_t>(row[0]),
                 .scope = {.source = StringOf(row[3]),
                           .provider = StringOf(row[4]),
                           .pool = StringOf(row[5]),
                           .tenant = StringOf(row[6]),
                           .stream = StringOf(row[7]),
                           .campaign = StringOf(row[8]),
                           .domain = StringOf(row[9]),
                           .site = StringOf(row[10]),
                           .sender_domain = StringOf(row[16])},
                 .cause = ParseConstraintCause(ViewOf(row[1])).value_or(ConstraintCause::kOperator),
                 .rule = StringOf(row[2]),
                 .evidence = StringOf(row[12]),
                 .since = InstantOf(row[13]),
                 .until = MaybeInstantOf(row[14]),
                 .author = StringOf(row[15])};
  auto value = ParseConstraintValue(ViewOf(row[11]));
  if (!value.ok()) return absl::DataLossError(Cat("constraint ", out.id, ": ", value.status().message()));
  out.value = *std::move(value);
  return out;
}

int64_t ReadGeneration(pqxx::transaction_base& tx, bool changed) {
  return IntOf<int64_t>(tx.exec1(changed ? kNextGeneration : kGeneration)[0]);
}

// The row's id, and whether it changed.
std::pair<int64_t, bool> PutOne(pqxx::transaction_base& tx, const std::string& cause, const Constraint& c) {
  const Scope& s = c.scope;
  std::optional<int64_t> until;
  if (c.until) until = ToMicros(*c.until);
  const pqxx::result rows =
      tx.exec_params(kPut, cause, c.rule, s.source, s.provider, s.pool, s.tenant, s.stream, s.campaign, s.domain, s.site,
                     ToString(c.value), c.evidence, ToMicros(c.since), until, c.author, s.sender_domain);
  if (!rows.empty()) return {IntOf<int64_t>(rows[0][0]), true};
  const pqxx::row same = tx.exec_params1(kIdOf, cause, c.rule, s.source, s.provider, s.pool, s.tenant, s.stream, s.campaign,
                                         s.domain, s.site, s.sender_domain);
  return {IntOf<int64_t>(same[0]), false};
}

class PostgresConstraintStore final : public ConstraintStore {
 public:
  explicit PostgresConstraintStore(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<int64_t> Generation() override {
    return InTransaction<int64_t>(
        pool_, "constraint generation",
        [](pqxx::transaction_base& tx) -> absl::StatusOr<int64_t> { return ReadGeneration(tx, false); });
  }

  absl::StatusOr<ConstraintsInForce> List(Instant now) override {
    using Answer = ConstraintsInForce;
    return InTransaction<Answer>(pool_, "constraints", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Answer> {
      Answer answer;
      // Before the rows: a change in between is seen again, not missed.
      answer.generation = ReadGeneration(tx, false);
      for (const pqxx::row& row : tx.exec_params(kList, ToMicros(now))) {
        ASSIGN_OR_RETURN(Constraint constraint, ConstraintOf(row));
        answer.constraints.push_back(std::move(constraint));
      }
      return answer;
    });
  }

  absl::StatusOr<ConstraintChange> Put(ConstraintCause cause, const std::vector<Constraint>& constraints) override {
    const std::string name(ToString(cause));
    for (const Constraint& constraint : constraints) {
      if (constraint.scope.empty()) return absl::InvalidArgumentError("a constraint's scope names nothing");
      if (constraint.value == ConstraintValue()) return absl::InvalidArgumentError("a constraint without a value holds nothing");
    }
    return Change("put constraints", [&](pqxx::transaction_base& tx, ConstraintChange& change) {
      bool changed = false;
      for (const Constraint& constraint : constraints) {
        const auto [id, edited] = PutOne(tx, name, constraint);
        change.ids.push_back(id);
        changed = changed || edited;
      }
      return changed;
    });
  }

  absl::StatusOr<ConstraintChange> End(ConstraintCause cause, const std::vector<int64_t>& ids) override {
    std::string array = "{";
    for (const int64_t id : ids) Append(array, array.size() > 1 ? "," : "", id);
    array += "}";
    return Change("end constraints", [&](pqxx::transaction_base& tx, ConstraintChange& change) {
      return Ended(tx.exec_params(kEnd, std::string(ToString(cause)), array), change);
    });
  }

  absl::StatusOr<ConstraintChange> EndScope(ConstraintCause cause, const Scope& scope) override {
    return Change("end constraints", [&](pqxx::transaction_base& tx, ConstraintChange& change) {
      return Ended(tx.exec_params(kEndScope, std::string(ToString(cause)), scope.source, scope.provider, scope.pool,
                                  scope.tenant, scope.stream, scope.campaign, scope.domain, scope.site, scope.sender_domain),
                   change);
    });
  }

  absl::Status Sweep(Instant before) override {
    return RunTransaction(pool_, "sweep constraints", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(kSweep, ToMicros(before));
      return absl::OkStatus();
    });
  }

 private:
  static bool Ended(const pqxx::result& rows, ConstraintChange& change) {
    for (const pqxx::row& row : rows) change.ids.push_back(IntOf<int64_t>(row[0]));
    return !rows.empty();
  }

  // `body` answers whether anything changed.
  template <class Body>
  absl::StatusOr<ConstraintChange> Change(std::string_view name, Body body) {
    return InTransaction<ConstraintChange>(
        pool_, name, [&](pqxx::transaction_base& tx) -> absl::StatusOr<ConstraintChange> {
          ConstraintChange change;
          const bool changed = body(tx, change);
          change.generation = ReadGeneration(tx, changed);
          return change;
        });
  }

  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<ConstraintStore> MakeConstraintStore(ConnectionPool& pool) {
  return std::make_unique<PostgresConstraintStore>(pool);
}

}  // namespace sluice::storage

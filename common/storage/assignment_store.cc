#include "storage/assignment_store.h"

#include "base/text.h"
#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr const char* kColumns =
    "source, egress, epoch, micros(assigned_at), micros(lease_until), state, detail,"
    " lease_until <= clock_timestamp()";

constexpr const char* kClaim = R"sql(
insert into source_assignment as a (source, egress, epoch, assigned_at, lease_until, state)
select s, $2, 1, clock_timestamp(), clock_timestamp() + $3::bigint * interval '1 microsecond',
       'assigned'
from (select distinct s from unnest($1::text[]) s) named order by s
on conflict (source) do update
set egress = excluded.egress, epoch = a.epoch + 1, assigned_at = excluded.assigned_at,
    lease_until = excluded.lease_until, state = 'assigned', detail = ''
where a.egress = excluded.egress or a.lease_until <= clock_timestamp()
returning )sql";

constexpr const char* kRenew = R"sql(
update source_assignment a
set lease_until = clock_timestamp() + $4::bigint * interval '1 microsecond'
from unnest($1::text[], $2::bigint[]) as h(source, epoch)
where a.source = h.source and a.epoch = h.epoch and a.egress = $3
returning a.source)sql";

constexpr const char* kSetState =
    "update source_assignment set state = $3, detail = $4 where source = $1 and epoch = $2::bigint"
    " returning 1";

constexpr const char* kRelease = R"sql(
update source_assignment a set egress = '', lease_until = 'epoch', state = 'assigned', detail = ''
from unnest($1::text[], $2::bigint[]) as h(source, epoch)
where a.source = h.source and a.epoch = h.epoch)sql";

SourceAssignment AssignmentOf(const pqxx::row& row) {
  return {.source = StringOf(row[0]),
          .egress = StringOf(row[1]),
          .epoch = IntOf<int64_t>(row[2]),
          .assigned_at = InstantOf(row[3]),
          .lease_until = InstantOf(row[4]),
          .state = StringOf(row[5]),
          .detail = StringOf(row[6]),
          .expired = BoolOf(row[7])};
}

std::vector<SourceAssignment> AssignmentsOf(const pqxx::result& rows) {
  std::vector<SourceAssignment> assignments;
  for (const pqxx::row& row : rows) assignments.push_back(AssignmentOf(row));
  return assignments;
}

Parameters HeldParameters(const std::vector<std::pair<std::string, int64_t>>& held) {
  BinaryArray<Text> source;
  BinaryArray<int64_t> epoch;
  for (const auto& [s, e] : held) {
    source.Add(s);
    epoch.Add(e);
  }
  Parameters parameters;
  parameters.Add(source).Add(epoch);
  return parameters;
}

class PostgresAssignmentStore final : public AssignmentStore {
 public:
  explicit PostgresAssignmentStore(ConnectionPool& pool) : pool_(pool) {}

  using Assignments = std::vector<SourceAssignment>;

  absl::StatusOr<Assignments> List() override {
    return InTransaction<Assignments>(
        pool_, "list assignments", [](pqxx::transaction_base& tx) -> absl::StatusOr<Assignments> {
          return AssignmentsOf(
              tx.exec(Cat("select ", kColumns, " from source_assignment order by source")));
        });
  }

  absl::StatusOr<Assignments> Claim(const std::string& egress,
                                    const std::vector<std::string>& sources,
                                    Duration lease) override {
    Parameters parameters;
    parameters.Add(ArrayOf<Text>(sources));
    return InTransaction<Assignments>(
        pool_, "claim sources", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Assignments> {
          return AssignmentsOf(
              tx.exec_params(Cat(kClaim, kColumns), parameters.dynamic(), egress, lease.count()));
        });
  }

  absl::StatusOr<std::vector<std::string>> Renew(
      const std::string& egress, const std::vector<std::pair<std::string, int64_t>>& held,
      Duration lease) override {
    const Parameters parameters = HeldParameters(held);
    using Names = std::vector<std::string>;
    return InTransaction<Names>(
        pool_, "renew sources", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Names> {
          Names names;
          for (const pqxx::row& row :
               tx.exec_params(kRenew, parameters.dynamic(), egress, lease.count())) {
            names.push_back(StringOf(row[0]));
          }
          return names;
        });
  }

  absl::StatusOr<bool> SetState(const std::string& source, int64_t epoch, const std::string& state,
                                const std::string& detail) override {
    return InTransaction<bool>(
        pool_, "set source state", [&](pqxx::transaction_base& tx) -> absl::StatusOr<bool> {
          return !tx.exec_params(kSetState, source, epoch, state, detail).empty();
        });
  }

  absl::Status Release(const std::vector<std::pair<std::string, int64_t>>& held) override {
    const Parameters parameters = HeldParameters(held);
    return RunTransaction(pool_, "release sources", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(kRelease, parameters.dynamic());
      return absl::OkStatus();
    });
  }

 private:
  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<AssignmentStore> MakeAssignmentStore(ConnectionPool& pool) {
  return std::make_unique<PostgresAssignmentStore>(pool);
}

}  // namespace sluice::storage

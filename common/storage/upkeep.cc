#include "storage/upkeep.h"

#include <algorithm>
#include <functional>
#include <pqxx/nontransaction>

#include "base/status.h"
#include "base/text.h"
#include "storage/errors.h"
#include "storage/in_transaction.h"
#include "storage/partitions.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr int kEventDaysAhead = 7;

constexpr const char* kLockTimeout = "set lock_timeout = '2s'";
constexpr const char* kTryLock = "select pg_try_advisory_lock(5, 0)";
constexpr const char* kUnlock = "select pg_advisory_unlock(5, 0)";

// A row when $2 is a partition of $1: whether an interrupted detach has left it halfway.
constexpr const char* kAttached =
    "select inhdetachpending from pg_inherits where inhparent = $1::text::regclass"
    " and inhrelid = to_regclass($2::text)";

constexpr const char* kOpenContent =
    "select part, micros(opened_at) from content_partition"
    " where closed_at is null and dropped_at is null order by part desc limit 1";

constexpr const char* kCloseContent =
    "update content_partition"
    " set closed_at = timestamptz 'epoch' + $2::bigint * interval '1 microsecond'"
    " where part < $1::int and closed_at is null";

constexpr const char* kClosedContent =
    "select part from content_partition where dropped_at is null"
    " and closed_at <= timestamptz 'epoch' + $1::bigint * interval '1 microsecond' order by part";

// One pass over what waits, for all candidates together.
constexpr const char* kNamedParts =
    "select array(select distinct part::bigint from queue_entry where part = any($1::int[]))";

constexpr const char* kContentDropped =
    "update content_partition"
    " set dropped_at = timestamptz 'epoch' + $2::bigint * interval '1 microsecond'"
    " where part = $1::int";

// Attached or left over from an interrupted drop.
constexpr const char* kEventTables =
    "select c.relname, to_date(substr(c.relname, 7), 'YYYYMMDD') - date '1970-01-01'"
    " from pg_class c join pg_class p on p.oid = 'event'::regclass and p.relnamespace = "
    "c.relnamespace"
    " where c.relkind = 'r' and c.relname ~ '^event_[0-9]{8}$' order by 1";

// The highest number of each shard in the partition %.
std::string TopsOf(const std::string& partition) {
  return Cat("(select l.shard, (select max(e.seq) from ", partition,
             " e where e.shard = l.shard) as top from shard_lease l)");
}

// Events that came much later than the partition's day under a lower number: dropping it would hide
// them.
std::string HidesLaterEvents(const std::string& partition) {
  return Cat(
      "select exists (select from ", TopsOf(partition),
      " t join event e on e.shard = t.shard and e.seq <= t.top"
      " where e.occurred_at >= timestamptz 'epoch' + $1::bigint * interval '1 microsecond')");
}

std::string RaiseFloor(const std::string& partition) {
  return Cat("update shard_lease l set event_floor = t.top from ", TopsOf(partition),
             " t where t.shard = l.shard and t.top > l.event_floor");
}

// Locks that were not to be had in time: nothing is wrong, the next run tries again.
bool IsPostponed(const Session& session, const absl::Status& status) {
  const std::string& state = session.last_sqlstate();
  return !status.ok() && session.is_open() &&
         (state == "55P03" || state == "57014" || state.starts_with("40"));
}

class PostgresUpkeep final : public Upkeep {
 public:
  explicit PostgresUpkeep(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  absl::StatusOr<UpkeepReport> KeepContent(const ContentUpkeep& options, Instant now) override {
    return Alone([&](UpkeepReport& report) -> absl::Status {
      RETURN_IF_ERROR(Step("next content partition", report,
                           [&] { return OpenNextContent(options, now, report); }));
      ASSIGN_OR_RETURN(const std::vector<int32_t> parts, UnnamedContent(now - options.drop_after));
      for (int32_t part : parts) {
        RETURN_IF_ERROR(Step(ContentPartitionName(part), report,
                             [&] { return DropContent(part, now, report); }));
      }
      return absl::OkStatus();
    });
  }

  absl::StatusOr<UpkeepReport> KeepEvents(Duration keep, Instant now) override {
    return Alone([&](UpkeepReport& report) -> absl::Status {
      for (int ahead = 0; ahead <= kEventDaysAhead; ++ahead) {
        const Day day = DayOf(now) + std::chrono::days(ahead);
        RETURN_IF_ERROR(Step(EventPartitionName(day), report, [&] {
          return RunTransaction(*session_, "event partition", [&](pqxx::transaction_base& tx) {
            if (CreateEventPartition(tx, day)) report.created.push_back(EventPartitionName(day));
            return absl::OkStatus();
          });
        }));
      }
      ASSIGN_OR_RETURN(const std::vector<Day> days, EventDays());
      for (Day day : days) {
        if (day + std::chrono::days(1) + keep > now) continue;
        RETURN_IF_ERROR(
            Step(EventPartitionName(day), report, [&] { return DropEvents(day, report); }));
      }
      return absl::OkStatus();
    });
  }

  absl::StatusOr<bool> RotateSubmissions(Duration every, Instant now) override {
    return InTransaction<bool>(
        *session_, "rotate submissions", [&](pqxx::transaction_base& tx) -> absl::StatusOr<bool> {
          const char* const read = "select current, micros(rotated_at) from submission_generation";
          if (now - InstantOf(tx.exec1(read)[1]) < every) return false;
          // One rotation at a time, and none while an ingest of the version before has a batch open.
          tx.exec1("select pg_advisory_xact_lock(8, 0)");
          const pqxx::row row = tx.exec1(read);
          if (now - InstantOf(row[1]) < every) return false;
          const int next = 1 - IntOf<int32_t>(row[0]);
          // Waits for the batches that are open; those that come later wait for this transaction, and see
          // the generations swapped (sql::kAccept).
          tx.exec0(Cat("truncate submission_", next));
          tx.exec_params0(
              "update submission_generation set current = $1::smallint,"
              " rotated_at = timestamptz 'epoch' + $2::bigint * interval '1 microsecond'",
              next, ToMicros(now));
          return true;
        });
  }

  absl::Status TrimWriters(Instant before) override {
    return RunTransaction(*session_, "trim writers", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(
          "delete from writer w"
          " where w.started_at < timestamptz 'epoch' + $1::bigint * interval '1 microsecond'"
          "   and not exists (select from shard_lease l cross join lateral"
          "     (select from accept_batch b where b.shard = l.shard and b.writer = w.id limit 1) b)"
          "   and case when pg_try_advisory_lock(9, w.id::int) then pg_advisory_unlock(9, "
          "w.id::int)"
          "       else false end",
          ToMicros(before));
      return absl::OkStatus();
    });
  }

 private:
  using Steps = std::function<absl::Status(UpkeepReport&)>;

  // One upkeep at a time in the whole system.
  absl::StatusOr<UpkeepReport> Alone(const Steps& steps) {
    UpkeepReport report;
    ASSIGN_OR_RETURN(const bool locked, Ask(kTryLock));
    if (!locked) {
      report.postponed.push_back("another upkeep is running");
      return report;
    }
    const absl::Status status = steps(report);
    const auto unlocked = Ask(kUnlock);
    RETURN_IF_ERROR(status);
    RETURN_IF_ERROR(unlocked.status());
    return report;
  }

  absl::StatusOr<bool> Ask(const char* query) {
    return InTransaction<bool>(*session_, "upkeep",
                               [&](pqxx::transaction_base& tx) -> absl::StatusOr<bool> {
                                 return BoolOf(tx.exec1(query)[0]);
                               });
  }

  absl::Status Step(const std::string& name, UpkeepReport& report,
                    const std::function<absl::Status()>& step) {
    const absl::Status status = step();
    if (!IsPostponed(*session_, status)) return status;
    report.postponed.push_back(Cat(name, ": ", status.message()));
    return absl::OkStatus();
  }

  absl::Status OpenNextContent(const ContentUpkeep& options, Instant now, UpkeepReport& report) {
    return RunTransaction(
        *session_, "content partition", [&](pqxx::transaction_base& tx) -> absl::Status {
          const pqxx::result open = tx.exec(kOpenContent);
          if (!open.empty() && !IsFull(tx, open[0], options, now)) return absl::OkStatus();
          const auto next = IntOf<int32_t>(
              tx.exec1("select coalesce(max(part), 0) + 1 from content_partition")[0]);
          CreateContentPartition(tx, next, now);
          tx.exec_params0(kCloseContent, next, ToMicros(now));
          report.created.push_back(ContentPartitionName(next));
          return absl::OkStatus();
        });
  }

  static bool IsFull(pqxx::transaction_base& tx, const pqxx::row& open,
                     const ContentUpkeep& options, Instant now) {
    if (now - InstantOf(open[1]) >= options.max_age) return true;
    const std::string name = ContentPartitionName(IntOf<int32_t>(open[0]));
    const pqxx::row size =
        tx.exec_params1("select pg_total_relation_size($1::text::regclass)", name);
    return IntOf<int64_t>(size[0]) >= options.max_bytes;
  }

  absl::StatusOr<std::vector<int32_t>> UnnamedContent(Instant closed_by) {
    using Parts = std::vector<int32_t>;
    return InTransaction<Parts>(
        *session_, "old contents", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Parts> {
          Parts parts;
          for (const pqxx::row& row : tx.exec_params(kClosedContent, ToMicros(closed_by))) {
            parts.push_back(IntOf<int32_t>(row[0]));
          }
          if (parts.empty()) return parts;
          for (const auto& named : Named(tx, parts)) {
            std::erase(parts, static_cast<int32_t>(*named));
          }
          return parts;
        });
  }

  static std::vector<std::optional<int64_t>> Named(pqxx::transaction_base& tx,
                                                   const std::vector<int32_t>& parts) {
    Parameters parameters;
    parameters.Add(ArrayOf<int32_t>(parts));
    return IntsOf(tx.exec_params1(kNamedParts, parameters.dynamic())[0]);
  }

  // Detached first, so that nobody can add to it; then looked at again; only then dropped.
  // Interrupted anywhere, the next run goes on from there.
  absl::Status DropContent(int32_t part, Instant now, UpkeepReport& report) {
    const std::string name = ContentPartitionName(part);
    RETURN_IF_ERROR(Detach("message", name));
    return RunTransaction(*session_, "drop contents", [&](pqxx::transaction_base& tx) {
      if (!Named(tx, {part}).empty()) {
        tx.exec0(Cat("alter table message attach partition ", name, " for values in (", part, ")"));
        report.postponed.push_back(Cat(name, ": an entry has come to name it"));
        return absl::OkStatus();
      }
      tx.exec0(Cat("drop table if exists ", name));
      tx.exec_params0(kContentDropped, part, ToMicros(now));
      report.dropped.push_back(name);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<std::vector<Day>> EventDays() {
    using Days = std::vector<Day>;
    return InTransaction<Days>(*session_, "event partitions",
                               [](pqxx::transaction_base& tx) -> absl::StatusOr<Days> {
                                 Days days;
                                 for (const pqxx::row& row : tx.exec(kEventTables)) {
                                   days.push_back(Day(std::chrono::days(IntOf<int32_t>(row[1]))));
                                 }
                                 return days;
                               });
  }

  // Readers hear that the numbers are gone before they are.
  absl::Status DropEvents(Day day, UpkeepReport& report) {
    const std::string name = EventPartitionName(day);
    bool hides = false;
    RETURN_IF_ERROR(RunTransaction(*session_, "event floor", [&](pqxx::transaction_base& tx) {
      const Instant much_later = day + std::chrono::days(2);
      hides = BoolOf(tx.exec_params1(HidesLaterEvents(name), ToMicros(much_later))[0]);
      if (!hides) tx.exec0(RaiseFloor(name));
      return absl::OkStatus();
    }));
    if (hides) {
      report.postponed.push_back(Cat(name, ": has numbers above those of later days"));
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(Detach("event", name));
    RETURN_IF_ERROR(RunTransaction(*session_, "drop events", [&](pqxx::transaction_base& tx) {
      tx.exec0(Cat("drop table if exists ", name));
      return absl::OkStatus();
    }));
    report.dropped.push_back(name);
    return absl::OkStatus();
  }

  // Concurrently: it waits for those who use the parent and blocks none of them. Refuses to run in
  // a transaction.
  absl::Status Detach(const std::string& parent, const std::string& name) {
    std::string sqlstate;
    const absl::Status status = CatchErrors(Cat("detach ", name), &sqlstate, [&] {
      pqxx::nontransaction tx(session_->connection());
      const pqxx::result attached = tx.exec_params(kAttached, parent, name);
      if (attached.empty()) return absl::OkStatus();
      tx.exec0(Cat("alter table ", parent, " detach partition ", name,
                   BoolOf(attached[0][0]) ? " finalize" : " concurrently"));
      return absl::OkStatus();
    });
    session_->set_last_sqlstate(sqlstate);
    return status;
  }

  const std::unique_ptr<Session> session_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Upkeep>> OpenUpkeep(const ConnectionOptions& options) {
  ASSIGN_OR_RETURN(auto session, Session::Open(options));
  RETURN_IF_ERROR(CatchErrors("upkeep", nullptr, [&] {
    pqxx::nontransaction(session->connection()).exec0(kLockTimeout);
    return absl::OkStatus();
  }));
  return std::make_unique<PostgresUpkeep>(std::move(session));
}

}  // namespace sluice::storage

#include "storage/share_store.h"

#include <utility>

#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

// The column `scheduler` is the holder: it has its name from when schedulers were the only ones, and versions before know it by it.
constexpr const char* kKeepLease = R"sql(
insert into rate_share as s (rate_key, scheduler, lease_until)
select '', holder, clock_timestamp() + $2::bigint * interval '1 microsecond' from unnest($1::text[]) as n(holder)
order by holder
on conflict (rate_key, scheduler) do update set lease_until = excluded.lease_until)sql";

constexpr const char* kTell = R"sql(
insert into rate_share as s (rate_key, scheduler, used, wants)
select rate_key, holder, used, wants
from unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[]) as n(rate_key, holder, used, wants)
order by rate_key, holder
on conflict (rate_key, scheduler) do update set used = excluded.used, wants = excluded.wants)sql";

// The holder keeps to it already, so that it may only be less than what is stored.
constexpr const char* kLower = R"sql(
update rate_share s set most = least(s.most, n.lowered)
from unnest($1::text[], $2::text[], $3::bigint[]) as n(rate_key, holder, lowered)
where s.rate_key = n.rate_key and s.scheduler = n.holder)sql";

constexpr const char* kOwn = R"sql(
select rate_key, scheduler, most, target, granted_of from rate_share
where scheduler = any($1::text[]) and rate_key = any($2::text[]))sql";

// One plans at a time; who lowers its own meanwhile only leaves more.
constexpr const char* kLock = "select pg_advisory_xact_lock(11, 0)";

constexpr const char* kAll = R"sql(
select s.rate_key, s.scheduler, s.most, s.target, s.granted_of, s.used, s.wants,
       (extract(epoch from clock_timestamp() - coalesce(l.lease_until, 'epoch')) * 1000000)::bigint,
       (extract(epoch from clock_timestamp()) * 1000000)::bigint
from rate_share s left join rate_share l on l.rate_key = '' and l.scheduler = s.scheduler
where s.rate_key <> '' order by s.rate_key, s.scheduler for update of s)sql";

constexpr const char* kGive = R"sql(
update rate_share s set most = n.most, target = n.target, granted_of = n.granted_of
from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) as n(rate_key, holder, most, target, granted_of)
where s.rate_key = n.rate_key and s.scheduler = n.holder)sql";

constexpr const char* kForget = R"sql(
delete from rate_share s using unnest($1::text[], $2::text[]) as n(rate_key, holder)
where s.rate_key = n.rate_key and s.scheduler = n.holder)sql";

constexpr const char* kForgetLeases =
    "delete from rate_share l where l.rate_key = '' and l.lease_until < clock_timestamp() - interval '1 minute'"
    " and not exists (select 1 from rate_share s where s.scheduler = l.scheduler and s.rate_key <> '')";

struct Shares {
  std::map<std::string, std::vector<ShareRow>> rows;
  int64_t now = 0;  // Microseconds.
};

Shares ReadAll(pqxx::transaction_base& tx) {
  Shares shares;
  for (const pqxx::row& row : tx.exec(kAll)) {
    ShareRow share{.holder = StringOf(row[1]),
                   .most = IntOf<int64_t>(row[2]),
                   .target = IntOf<int64_t>(row[3]),
                   .of = IntOf<int64_t>(row[4]),
                   .used = IntOf<int64_t>(row[5]),
                   .wants = BoolOf(row[6])};
    if (const auto over = IntOf<int64_t>(row[7]); over >= 0) share.lapsed = Duration(over);
    shares.rows[StringOf(row[0])].push_back(std::move(share));
    shares.now = IntOf<int64_t>(row[8]);
  }
  return shares;
}

// What has changed between two states of all shares.
struct Changes {
  BinaryArray<Text> key, holder, gone_key, gone_holder;
  BinaryArray<int64_t> most, target, of;
  bool any = false, any_gone = false;

  void Compare(const std::string& rate_key, const std::vector<ShareRow>& before, const std::vector<ShareRow>& after) {
    std::map<std::string, const ShareRow*> now;
    for (const ShareRow& row : after) now[row.holder] = &row;
    for (const ShareRow& row : before) {
      const auto found = now.find(row.holder);
      if (found == now.end()) {
        any_gone = true;
        gone_key.Add(rate_key);
        gone_holder.Add(row.holder);
      } else if (*found->second != row) {
        any = true;
        key.Add(rate_key);
        holder.Add(row.holder);
        most.Add(found->second->most);
        target.Add(found->second->target);
        of.Add(found->second->of);
      }
    }
  }
};

class PostgresShareStore final : public ShareStore {
 public:
  explicit PostgresShareStore(ConnectionPool& pool) : pool_(pool) {}

  absl::StatusOr<std::vector<OwnShare>> Exchange(const std::vector<std::string>& holders, const std::vector<ShareUse>& uses,
                                                 const std::vector<std::string>& rate_keys, Duration lease) override {
    BinaryArray<Text> key, holder, lowered_key, lowered_holder;
    BinaryArray<int64_t> used, lowered;
    BinaryArray<bool> wants;
    for (const ShareUse& use : uses) {
      key.Add(use.rate_key);
      holder.Add(use.holder);
      used.Add(use.used);
      wants.Add(use.wants);
      if (!use.lowered_to) continue;
      lowered_key.Add(use.rate_key);
      lowered_holder.Add(use.holder);
      lowered.Add(*use.lowered_to);
    }
    Parameters keep, tell, lower, own;
    keep.Add(ArrayOf<Text>(holders));
    tell.Add(key).Add(holder).Add(used).Add(wants);
    lower.Add(lowered_key).Add(lowered_holder).Add(lowered);
    own.Add(ArrayOf<Text>(holders)).Add(ArrayOf<Text>(rate_keys));
    using Own = std::vector<OwnShare>;
    return InTransaction<Own>(pool_, "shares", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Own> {
      tx.exec_params0(kKeepLease, keep.dynamic(), lease.count());
      tx.exec_params0(kTell, tell.dynamic());
      tx.exec_params0(kLower, lower.dynamic());
      Own shares;
      for (const pqxx::row& row : tx.exec_params(kOwn, own.dynamic())) {
        shares.push_back({.rate_key = StringOf(row[0]),
                          .row = {.holder = StringOf(row[1]),
                                  .most = IntOf<int64_t>(row[2]),
                                  .target = IntOf<int64_t>(row[3]),
                                  .of = IntOf<int64_t>(row[4])}});
      }
      return shares;
    });
  }

  absl::Status Plan(const std::map<std::string, ShareTerms>& limits) override {
    return RunTransaction(pool_, "plan shares", [&](pqxx::transaction_base& tx) {
      tx.exec(kLock);
      Changes changes;
      const Shares all = ReadAll(tx);
      for (const auto& [rate_key, before] : all.rows) {
        std::vector<ShareRow> after = before;
        if (const auto limit = limits.find(rate_key); limit != limits.end()) {
          PlanShares(limit->second, all.now / limit->second.turn.count(), after);
        } else {
          after.clear();
        }
        changes.Compare(rate_key, before, after);
      }
      if (changes.any) {
        Parameters give;
        give.Add(changes.key).Add(changes.holder).Add(changes.most).Add(changes.target).Add(changes.of);
        tx.exec_params0(kGive, give.dynamic());
      }
      if (changes.any_gone) {
        Parameters gone;
        gone.Add(changes.gone_key).Add(changes.gone_holder);
        tx.exec_params0(kForget, gone.dynamic());
      }
      tx.exec0(kForgetLeases);
      return absl::OkStatus();
    });
  }

 private:
  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<ShareStore> MakeShareStore(ConnectionPool& pool) { return std::make_unique<PostgresShareStore>(pool); }

}  // namespace sluice::storage

#include "storage/route_store.h"

#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

// Sorted, so that two writers of the same domains don't deadlock.
constexpr const char* kUpsert = R"sql(
insert into domain_route as r (domain, site, provider, resolved_at)
select distinct on (domain) domain, site, provider, resolved_at
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) as n(domain, site, provider, resolved_at)
order by domain, resolved_at desc
on conflict (domain) do update
set site = excluded.site, provider = excluded.provider, resolved_at = excluded.resolved_at
where excluded.resolved_at >= r.resolved_at)sql";

constexpr const char* kLoad =
    "select domain, site, provider, micros(resolved_at) from domain_route where domain = "
    "any($1::text[])";

class PostgresRouteStore final : public RouteStore {
 public:
  explicit PostgresRouteStore(ConnectionPool& pool) : pool_(pool) {}

  absl::Status Upsert(const std::vector<DomainRoute>& routes) override {
    BinaryArray<Text> domain, site, provider;
    BinaryArray<Instant> resolved_at;
    for (const DomainRoute& route : routes) {
      domain.Add(route.domain);
      site.Add(route.site);
      provider.Add(route.provider);
      resolved_at.Add(route.resolved_at);
    }
    Parameters parameters;
    parameters.Add(domain).Add(site).Add(provider).Add(resolved_at);
    return RunTransaction(pool_, "store routes", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(kUpsert, parameters.dynamic());
      return absl::OkStatus();
    });
  }

  absl::StatusOr<std::vector<DomainRoute>> Load(const std::vector<std::string>& domains) override {
    Parameters parameters;
    parameters.Add(ArrayOf<Text>(domains));
    using Routes = std::vector<DomainRoute>;
    return InTransaction<Routes>(
        pool_, "load routes", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Routes> {
          Routes routes;
          for (const pqxx::row& row : tx.exec_params(kLoad, parameters.dynamic())) {
            routes.push_back({.domain = StringOf(row[0]),
                              .site = StringOf(row[1]),
                              .provider = StringOf(row[2]),
                              .resolved_at = InstantOf(row[3])});
          }
          return routes;
        });
  }

 private:
  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<RouteStore> MakeRouteStore(ConnectionPool& pool) {
  return std::make_unique<PostgresRouteStore>(pool);
}

}  // namespace sluice::storage

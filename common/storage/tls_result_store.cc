#include "storage/tls_result_store.h"

#include "storage/pooled_session.h"
#include "storage/rows.h"

namespace sluice::storage {
namespace {

constexpr int kDomainsAPage = 200;

// Sorted, so that two writers of the same rows don't deadlock.
constexpr const char* kAdd = R"sql(
insert into tls_result as r (day, domain, policy_type, policy_text, failure, source_address, mx_host, mx_address, detail,
                             report_to, sessions)
select day::date, domain, policy_type, policy_text, failure, source_address, mx_host, mx_address, detail,
       max(report_to), sum(sessions)
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::bigint[])
  as n(day, domain, policy_type, policy_text, failure, source_address, mx_host, mx_address, detail, report_to, sessions)
group by 1, 2, 3, 4, 5, 6, 7, 8, 9 order by 1, 2, 3, 4, 5, 6, 7, 8, 9
on conflict (day, domain, policy_type, failure, md5(policy_text), source_address, mx_host, mx_address, md5(detail)) do update
set sessions = r.sessions + excluded.sessions, report_to = excluded.report_to)sql";

constexpr const char* kForgetOld =
    "delete from tls_result where day < (select max(day) from tls_result) - $1::int";

constexpr const char* kList = R"sql(
select day::text, domain, report_to, policy_type, policy_text, failure, source_address, mx_host, mx_address, detail, sessions
from tls_result
where day = $1::date and domain in (
  select distinct domain from tls_result
  where day = $1::date and domain > $3 and ($2 = '' or domain = $2) order by domain limit $4)
order by domain, policy_type, failure, sessions desc)sql";

class PostgresTlsResultStore final : public TlsResultStore {
 public:
  explicit PostgresTlsResultStore(ConnectionPool& pool) : pool_(pool) {}

  absl::Status Add(const std::vector<TlsResultRow>& rows) override {
    BinaryArray<Text> day, domain, policy_type, policy_text, failure, source, host, address, detail,
        report_to;
    BinaryArray<int64_t> sessions;
    for (const TlsResultRow& row : rows) {
      day.Add(row.day);
      domain.Add(row.domain);
      policy_type.Add(row.policy_type);
      policy_text.Add(row.policy_text);
      failure.Add(row.failure);
      source.Add(row.source_address);
      host.Add(row.mx_host);
      address.Add(row.mx_address);
      detail.Add(row.detail);
      report_to.Add(row.report_to);
      sessions.Add(row.sessions);
    }
    Parameters parameters;
    parameters.Add(day).Add(domain).Add(policy_type).Add(policy_text).Add(failure).Add(source);
    parameters.Add(host).Add(address).Add(detail).Add(report_to).Add(sessions);
    return RunTransaction(pool_, "add tls results", [&](pqxx::transaction_base& tx) {
      tx.exec_params0(kAdd, parameters.dynamic());
      tx.exec_params0(kForgetOld, kKeptDays);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<Page> List(const std::string& day, const std::string& domain,
                            const std::string& after) override {
    return InTransaction<Page>(
        pool_, "list tls results", [&](pqxx::transaction_base& tx) -> absl::StatusOr<Page> {
          Page page;
          int domain_count = 0;
          for (const pqxx::row& row : tx.exec_params(kList, day, domain, after, kDomainsAPage)) {
            TlsResultRow found = ToRow(row);
            domain_count += page.rows.empty() || page.rows.back().domain != found.domain ? 1 : 0;
            page.rows.push_back(std::move(found));
          }
          if (domain_count == kDomainsAPage) page.next = page.rows.back().domain;
          return page;
        });
  }

 private:
  static TlsResultRow ToRow(const pqxx::row& row) {
    return {.day = StringOf(row[0]),
            .domain = StringOf(row[1]),
            .report_to = StringOf(row[2]),
            .policy_type = StringOf(row[3]),
            .policy_text = StringOf(row[4]),
            .failure = StringOf(row[5]),
            .source_address = StringOf(row[6]),
            .mx_host = StringOf(row[7]),
            .mx_address = StringOf(row[8]),
            .detail = StringOf(row[9]),
            .sessions = IntOf<int64_t>(row[10])};
  }

  ConnectionPool& pool_;
};

}  // namespace

std::unique_ptr<TlsResultStore> MakeTlsResultStore(ConnectionPool& pool) {
  return std::make_unique<PostgresTlsResultStore>(pool);
}

}  // namespace sluice::storage

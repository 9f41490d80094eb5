// Statements about suppressions. Internal; a test prepares and explains every one against the
// migrated schema.
#pragma once

namespace sluice::storage::sql {

// Before any change, until its commit: versions are then in the order of the commits.
inline constexpr const char* kSuppressionLock = "select pg_advisory_xact_lock(10, 0)";

inline constexpr const char* kAddSuppressions = R"sql(
insert into suppression as s (address_hash, tenant, address, reason, detail, created_at, expires_at,
                              version)
select distinct on (n.address_hash, n.tenant) n.address_hash, n.tenant, n.address, n.reason,
       n.detail, n.created_at, n.expires_at, nextval('suppression_version')
from unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
            $7::timestamptz[])
       as n(address_hash, tenant, address, reason, detail, created_at, expires_at)
order by n.address_hash, n.tenant, n.expires_at desc nulls first
on conflict (address_hash, tenant) do update
set address = excluded.address, reason = excluded.reason, detail = excluded.detail,
    created_at = excluded.created_at, expires_at = excluded.expires_at, removed_at = null,
    version = excluded.version
where s.removed_at is not null
   or (s.expires_at is not null
       and (excluded.expires_at is null or excluded.expires_at > s.expires_at))
returning 1)sql";

inline constexpr const char* kRemoveSuppressions = R"sql(
update suppression s
set removed_at = timestamptz 'epoch' + $3::bigint * interval '1 microsecond',
    version = nextval('suppression_version')
where s.removed_at is null
  and (s.address_hash, s.tenant) in (select * from unnest($1::bytea[], $2::text[]))
returning 1)sql";

inline constexpr const char* kEraseSuppressions =
    "update suppression set address = '', detail = ''"
    " where address_hash = any($1::bytea[]) and address <> '' returning 1";

#define SLUICE_SUPPRESSION_COLUMNS                                                  \
  "tenant, address, reason, detail, micros(created_at), micros(expires_at), " \
  "encode(address_hash, 'hex')"

inline constexpr const char* kListSuppressions =
    "select " SLUICE_SUPPRESSION_COLUMNS
    " from suppression where removed_at is null"
    " and (tenant, address, address_hash) > ($1, $2, $3::bytea)"
    " order by tenant, address, address_hash limit $4::int";

inline constexpr const char* kListSuppressionsOf =
    "select " SLUICE_SUPPRESSION_COLUMNS
    " from suppression where removed_at is null and tenant = $1"
    " and (address, address_hash) > ($2, $3::bytea)"
    " order by address, address_hash limit $4::int";

inline constexpr const char* kFindSuppressions =
    "select " SLUICE_SUPPRESSION_COLUMNS
    " from suppression where removed_at is null and address_hash = $1::bytea order by tenant";
#undef SLUICE_SUPPRESSION_COLUMNS

inline constexpr const char* kSuppressionChanges =
    "select version, encode(substr(address_hash, 1, 8), 'hex'), tenant, removed_at is not null"
    " from suppression where version > $1::bigint order by version limit $2::int";

inline constexpr const char* kExpireSuppressions = R"sql(
update suppression
set removed_at = timestamptz 'epoch' + $1::bigint * interval '1 microsecond',
    version = nextval('suppression_version')
where ctid = any(array(
  select ctid from suppression
  where removed_at is null
    and expires_at <= timestamptz 'epoch' + $1::bigint * interval '1 microsecond'
  order by expires_at limit 10000))
returning 1)sql";

inline constexpr const char* kBurySuppressions =
    "delete from suppression where ctid = any(array(select ctid from suppression"
    " where removed_at < timestamptz 'epoch' + ($1::bigint - 86400000000) * interval '1 microsecond'"
    " limit 10000))";

}  // namespace sluice::storage::sql

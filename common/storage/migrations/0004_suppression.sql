-- Who is not sent to. Found by hash, so that an address can be erased and stay suppressed. Every change gets the next
-- version under advisory lock (10, 0), so that version order is commit order and a reader that asks for what came after
-- the last version it saw misses nothing. Removed rows stay for a day as tombstones for those readers.
drop table suppression;
create sequence suppression_version;
create table suppression (
  address_hash bytea not null constraint address_hash_is_sha256 check (length(address_hash) = 32),
  tenant text not null,                 -- '' = all tenants
  address text not null,                -- lower case; '' = erased
  reason text not null constraint reason_is_known check (reason in ('bounce', 'complaint', 'unsubscribe', 'manual')),
  detail text not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  removed_at timestamptz,
  version bigint not null,
  primary key (address_hash, tenant)
);
create unique index suppression_by_version on suppression (version);
create index suppression_by_address on suppression (tenant, address, address_hash) where removed_at is null;
create index suppression_by_expiry on suppression (expires_at) where removed_at is null and expires_at is not null;
create index suppression_removed on suppression (removed_at) where removed_at is not null;

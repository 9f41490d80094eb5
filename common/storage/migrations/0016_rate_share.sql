-- Who may let go how much of a rate that several schedulers keep together (common/policy/rate_share.h). The row of no limit is the
-- scheduler's lease: when it is over, what it has of any rate is given back.
create table rate_share (
  rate_key text not null,               -- What is counted together, and the interval; '' = the lease.
  scheduler text not null,
  most bigint not null default 0,
  target bigint not null default 0,
  granted_of bigint not null default 0, -- The rate's count when `most` was given.
  used bigint not null default 0,
  wants boolean not null default false,
  lease_until timestamptz,              -- Of the row of no limit.
  primary key (rate_key, scheduler)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Entries that wait for an allowance, as each scheduler last counted them: what an ETA is reckoned from. What was not counted lately
-- is a dead scheduler's.
create table warmup_waiting (
  scheduler text not null,
  address text not null,
  provider text not null,               -- a column of the plan
  entries bigint not null constraint somebody_waits check (entries > 0),
  seen_at timestamptz not null,
  primary key (scheduler, address, provider)
);

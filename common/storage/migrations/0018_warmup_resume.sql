-- When a person lets a suspended address go on, and when the listing that suspended it ends.
alter table warmup_state
  add column until_delisted boolean not null default false,
  -- The first day that is judged: what was seen before has been answered by a suspension or overruled by a person.
  add column evidence_day date not null default 'epoch',
  add column resumed_at timestamptz not null default 'epoch';

-- Warmup (architecture §7): what each address may send to each provider on a day, and what became of it; where each stands on its
-- plan; and why. A day is a calendar day of the zone below, by this database's clock.

create table warmup_calendar (
  only_row boolean primary key default true check (only_row),
  zone text not null default 'UTC',
  -- Tests shorten the day; 0 = calendar days.
  day_micros bigint not null default 0 check (day_micros >= 0)
);
insert into warmup_calendar default values;

create function warmup_day_at(at timestamptz)
  returns table (day date, starts_at timestamptz, ends_at timestamptz) language sql stable as $$
  select d.day,
         case when c.day_micros = 0 then d.day::timestamp at time zone c.zone
              else timestamptz 'epoch' + (d.day - date 'epoch') * c.day_micros * interval '1 microsecond' end,
         case when c.day_micros = 0 then (d.day + 1)::timestamp at time zone c.zone
              else timestamptz 'epoch' + (d.day + 1 - date 'epoch') * c.day_micros * interval '1 microsecond' end
  from warmup_calendar c,
       lateral (select case when c.day_micros = 0 then (at at time zone c.zone)::date
                            else date 'epoch' + (micros(at) / c.day_micros)::int end as day) d
$$;

-- Plans as they were when an address began with them.
create table warmup_plan (
  name text not null,
  version int not null,
  stages text not null,                 -- one stage a line: `google=100,other=50,*=200`
  pinned_at timestamptz not null,
  primary key (name, version)
);

create table warmup_state (
  address text not null,
  provider text not null,               -- a column of the plan
  source text not null,
  plan text not null,
  plan_version int not null,
  phase text not null constraint warmup_phase_is_known check (phase in ('cold', 'warming', 'warm', 're-warming')),
  stage int not null constraint warmup_stage_is_positive check (stage > 0),
  held boolean not null default false,
  start_day date,
  suspended_until timestamptz,
  suspensions int not null default 0,
  suspended_at timestamptz not null default 'epoch',
  slowed_at timestamptz not null default 'epoch',
  judged_day date not null,
  active_day date not null,
  judged_at timestamptz not null default 'epoch',
  decision text not null default '',
  why text not null default '',
  evidence text not null default '',
  -- Rises when owners must give up what they drew and recall what was not begun.
  lowered bigint not null default 0,
  -- Rises with every change.
  revision bigint not null default 1,
  primary key (address, provider)
);

-- provider '*' = the address's total. One grant is one RCPT command of its day; granted - returned never exceeds the cap it was
-- granted under. Unknown after a crash stays granted: it counts as spent.
create table warmup_ledger (
  day date not null,
  address text not null,
  provider text not null,
  cap bigint constraint warmup_cap_is_positive check (cap >= 0),   -- null = counted, not capped
  opens_at timestamptz not null,        -- the cap is given out evenly between these
  closes_at timestamptz not null,
  stopped_until timestamptz not null default 'epoch',              -- nothing is granted before
  granted bigint not null default 0,
  returned bigint not null default 0,
  attempted bigint not null default 0,
  accepted bigint not null default 0,
  deferred bigint not null default 0,
  throttled bigint not null default 0,
  bounced bigint not null default 0,
  blocked bigint not null default 0,
  complained bigint not null default 0,
  primary key (address, provider, day),
  constraint warmup_returns_what_was_granted check (returned between 0 and granted)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

create table warmup_event (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  day date not null,
  source text not null,
  address text not null,
  provider text not null,
  decision text not null,
  why text not null,
  evidence text not null,
  from_stage int not null,
  to_stage int not null,
  phase text not null,
  actor text not null                   -- `control`, or who asked
);
create index warmup_event_by_address on warmup_event (address, id);

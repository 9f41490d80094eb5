-- Constraints may name a sending domain.
alter table sending_constraint add column sender_domain text not null default '';
alter table sending_constraint drop constraint constraint_has_a_scope;
alter table sending_constraint add constraint constraint_has_a_scope
  check (source || provider || pool || tenant || stream || campaign || domain || site || sender_domain <> '');
alter table sending_constraint drop constraint sending_constraint_cause_rule_source_provider_pool_tenant_s_key;
alter table sending_constraint add constraint sending_constraint_names_one
  unique (cause, rule, source, provider, pool, tenant, stream, campaign, domain, site, sender_domain);

-- What was refused is told apart by the rule that read the reply (empty = none did), and by the domain it blames.
alter table reputation_count
  add column reply_rule text not null default '',
  add column reply_scope text not null default '',
  add column sender_domain text not null default '';
alter table reputation_count drop constraint reputation_count_pkey;
alter table reputation_count add primary key
  (bucket_at, source, provider, tenant, kind, reply_class, reply_rule, sender_domain);

-- One row a subject that is not healthy, was not for a week, or that somebody overrides. '' = not named; no provider = everywhere.
create table health_state (
  source text not null,
  tenant text not null,
  sender_domain text not null,
  provider text not null,
  state text not null constraint state_is_known
    check (state in ('healthy', 'watch', 'throttled', 'suspended', 'quarantined')),
  rule text not null,
  evidence text not null,
  worst text not null,
  score double precision not null,
  since timestamptz not null,
  until timestamptz not null,
  rested_at timestamptz not null,
  counted_from timestamptz not null,
  probing_since timestamptz,
  strikes int not null,
  usual double precision not null,      -- attempts a minute before it was slowed
  override_state text not null default '' constraint override_is_known
    check (override_state in ('', 'healthy', 'watch', 'throttled', 'suspended', 'quarantined')),
  override_until timestamptz,           -- null with an override: until lifted
  override_reason text not null default '',
  override_author text not null default '',
  primary key (source, tenant, sender_domain, provider)
);

-- What others say of our sources and sending domains: the last good answer of each poller, and when it was had.
create table reputation_signal (
  source text not null,
  sender_domain text not null,
  provider text not null,
  name text not null,                   -- `zen.spamhaus.org`, `reverse_dns`, `snds` …
  verdict text not null constraint verdict_is_known check (verdict in ('good', 'warning', 'bad', 'unknown')),
  word text not null,                   -- of an opinion that rules of health name; '' = none
  value text not null,
  detail text not null,
  raw text not null,
  checked_at timestamptz not null,      -- the last good answer
  failed_at timestamptz,                -- since when there is none
  failure text not null,
  changed_at timestamptz not null,
  positives int not null,               -- in a row
  negatives int not null,
  first_positive_at timestamptz,
  primary key (source, sender_domain, provider, name)
);

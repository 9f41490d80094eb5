-- What holds mail back, with its scope in columns: '' = not named. One row a (cause, rule, scope), so that who makes one again
-- edits it. Nothing wrote the table before.
drop table sending_constraint;
create table sending_constraint (
  id bigint generated always as identity primary key,
  cause text not null constraint cause_is_known
    check (cause in ('operator', 'shaping', 'automation', 'aimd', 'warmup', 'health', 'assignment')),
  rule text not null,                   -- tells rows of one cause and scope apart
  source text not null,
  provider text not null,
  pool text not null,
  tenant text not null,
  stream text not null,
  campaign text not null,
  domain text not null,
  site text not null,
  value text not null,                  -- `suspend`, `connections=3 rate=10/s`
  evidence text not null,
  since timestamptz not null,
  until timestamptz,                    -- null = until lifted
  author text not null,
  constraint constraint_has_a_scope
    check (source || provider || pool || tenant || stream || campaign || domain || site <> ''),
  unique (cause, rule, source, provider, pool, tenant, stream, campaign, domain, site)
);
-- Rises with every change, in its transaction: who has seen it has seen the change.
create table constraint_generation (
  only_row boolean primary key default true check (only_row),
  generation bigint not null
);
insert into constraint_generation (generation) values (1);

-- What each scheduler and all of its egresses act on, and whom it still waits for.
alter table service_node
  add column constraint_generation bigint not null default 0,
  add column waits_for text not null default '';

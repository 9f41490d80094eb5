-- Who runs, and what each acts on: so that an order can say when it is true everywhere. A row is written every second or two and
-- counts as alive for six. What was committed before `acted_at` (the database's clock) is in force in that process.
create table service_node (
  id text primary key,
  kind text not null constraint kind_is_known check (kind in ('ingest', 'scheduler')),
  endpoint text not null,
  policy_revision bigint not null,
  acted_at timestamptz not null,
  seen_at timestamptz not null
) with (fillfactor = 50);

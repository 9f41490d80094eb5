-- Who runs, and which policy each acts on: so that an order can say when it is true everywhere. A row is written every two seconds
-- and counts as alive for six.
create table service_node (
  id text primary key,
  kind text not null constraint kind_is_known check (kind in ('ingest', 'scheduler')),
  endpoint text not null,
  policy_revision bigint not null,
  seen_at timestamptz not null
) with (fillfactor = 50);

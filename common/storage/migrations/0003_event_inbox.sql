-- What happened outside a shard's owner and is to become an event of that shard: suppressed recipients of a submission, feedback,
-- decisions about sources. Whoever knows it puts a row here, in the transaction that makes it true; the owner takes the row out and
-- writes the event with the next number in one transaction, so nothing is told twice and nothing is lost.
create table event_inbox (
  id bigint generated always as identity primary key,
  shard smallint not null,
  message_id bigint not null default 0,
  queue_entry_id bigint not null default 0,
  kind text not null,
  tenant text not null default '',
  stream text not null default '',
  campaign text not null default '',
  recipient text not null default '',
  pool text not null default '',
  provider text not null default '',
  source text not null default '',
  enhanced_status text not null default '',
  reply text not null default '',
  reply_class text not null default '',
  detail text not null default '',
  metadata bytea
);
create index event_inbox_by_shard on event_inbox (shard, id);

-- Refused recipients go through the inbox.
alter table accept_batch drop column verdicts;

-- What a key may submit at each ingest; 0 = no limit of its own.
alter table api_key
  add column messages_per_second bigint not null default 0,
  add column bytes_per_second bigint not null default 0,
  add column message_bytes bigint not null default 0,
  add constraint key_limits_are_not_negative
    check (messages_per_second >= 0 and bytes_per_second >= 0 and message_bytes >= 0);

-- Which database this is: a copy that was restored from a dump finds the identity of another one here. '' = restored in a way that
-- cannot be told (a base backup): whoever restores writes it.
create table database_identity (
  only_row boolean primary key default true check (only_row),
  identity text not null
);

-- After a restore everything is held: the one constraint that names nothing.
alter table sending_constraint drop constraint constraint_has_a_scope;
alter table sending_constraint add constraint constraint_has_a_scope
  check (source || provider || pool || tenant || stream || campaign || domain || site || sender_domain <> ''
         or (cause = 'operator' and rule = 'restored'));

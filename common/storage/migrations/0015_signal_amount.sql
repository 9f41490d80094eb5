-- Opinions that carry a number: rules of health compare it with theirs.
alter table reputation_signal add column amount double precision not null default 0;

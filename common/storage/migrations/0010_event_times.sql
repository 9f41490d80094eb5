-- How long the steps of an attempt took: `connect:1203,tls:3400,body:140`, microseconds, '' = not known.
alter table event add column times text not null default '';

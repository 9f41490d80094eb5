-- Shares are not the schedulers' alone: egresses hold those of connections.
alter table rate_share rename column scheduler to holder;

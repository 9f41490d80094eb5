-- Refresh tokens that have rotated, for whoever holds `control` next. `seed` says from which token of the credentials file it
-- descends (SHA-256, hex): another one in the file means that a person signed in anew, and is worth more than this row.
create table oauth_token (
  name text primary key,               -- `snds`
  seed text not null,
  refresh_token text not null,
  rotated_at timestamptz not null
);

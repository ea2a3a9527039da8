create table segments (
  account text not null,
  seq integer not null check (seq >= 1),
  bytes blob not null,
  primary key (account, seq)
) strict, without rowid;

create table heads (
  account text primary key,
  seq integer not null,
  hash blob not null,
  bytes integer not null
) strict, without rowid;

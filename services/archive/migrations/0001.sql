create table heads (
  account text primary key,
  chain integer not null,
  seq integer not null,
  hash blob not null,
  bytes integer not null,
  list_epoch integer not null,
  ark_epoch integer not null
) strict, without rowid;

create table segments (
  account text not null,
  chain integer not null,
  seq integer not null check (seq >= 1),
  bytes blob not null,
  primary key (account, chain, seq)
) strict, without rowid;

create table erased (
  account text not null,
  chain integer not null,
  primary key (account, chain)
) strict, without rowid;

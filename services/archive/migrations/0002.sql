-- Segments are sealed from here on; those that there are are put aside, and sealed when the archive starts.
alter table segments rename to former_segments;

create table segments (
  account text not null,
  chain integer not null,
  seq integer not null check (seq >= 1),
  bytes blob not null check (length(bytes) >= 33),
  primary key (account, chain, seq)
) strict, without rowid;

-- The newest signature of each witness that came by hand, until the checkpoint that it is of is overtaken.
create table carried_signatures (
  vkey text primary key,
  size integer not null check (size >= 0),
  signature blob not null
) strict, without rowid;

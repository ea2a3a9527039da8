-- Policies of the log by their number; the newest that is published is in force. Nothing is ever deleted: the log commits to each.
create table policies (
  number integer primary key check (number > 0),
  text text not null,
  published integer not null check (published in (0, 1))
) strict;

-- How a witness is reached: the root by which its island is known, where it is none of the system's.
create table witness_doors (
  url text primary key,
  ca blob check (ca is null or length(ca) = 32)
) strict, without rowid;

-- The size of our log that each witness is known to have signed last.
create table witness_sizes (
  vkey text primary key,
  size integer not null check (size >= 0),
  -- Unix seconds of its newest signature; 0 when it never signed.
  signed integer not null
) strict, without rowid;

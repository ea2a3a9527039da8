create table setup_token (
  id integer primary key check (id = 1),
  hash blob not null,
  used integer not null
) strict;

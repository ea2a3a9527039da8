create table blobs (
  id blob primary key,
  size integer not null check (size >= 1),
  stored integer not null check (stored >= 0 and stored <= size),
  delete_hash blob not null,
  day integer not null,
  gone integer not null default 0
) strict, without rowid;

create index blobs_by_day on blobs (day);

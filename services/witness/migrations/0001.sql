create table logs (
  id blob primary key check (length(id) = 32),
  log blob not null,
  head blob
) strict, without rowid;

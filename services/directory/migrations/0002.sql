create table sender_keys (
  kid integer primary key check (kid >= 1),
  sealed blob not null,
  signed blob not null check (length(signed) = 110),
  nbf_day integer not null
) strict;

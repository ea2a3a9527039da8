create table enrolments (
  account text primary key,
  hash blob not null
) strict, without rowid;

create table names (
  name text primary key,
  account text not null references enrolments (account)
) strict, without rowid;

create table lists (
  account text not null references enrolments (account),
  epoch integer not null check (epoch >= 1),
  bytes blob not null,
  hash blob not null,
  primary key (account, epoch)
) strict;

-- What the log commits to is never rewritten, whatever a query says.
create trigger lists_are_final before update on lists begin
  select raise(abort, 'a stored device list is final');
end;

create trigger lists_are_kept before delete on lists begin
  select raise(abort, 'a stored device list is kept');
end;

create table standing_prekeys (
  account text not null references enrolments (account),
  device integer not null,
  kind text not null check (kind in ('signed', 'last-resort')),
  id integer not null,
  bytes blob not null,
  replaced integer,
  primary key (account, device, kind, id)
) strict;

create unique index one_standing_prekey on standing_prekeys (account, device, kind) where replaced is null;

create table one_time_prekeys (
  account text not null references enrolments (account),
  device integer not null,
  id integer not null,
  bytes blob not null,
  expires_day integer not null,
  handed integer,
  primary key (account, device, id)
) strict;

create index one_time_unused on one_time_prekeys (account, device, id) where handed is null;
create index one_time_handed on one_time_prekeys (account, device, handed) where handed is not null;

create table batches (
  account text not null references enrolments (account),
  device integer not null,
  next integer not null,
  hash blob not null,
  primary key (account, device)
) strict, without rowid;

create table people (
  account text primary key,
  name text not null unique,
  state text not null check (state in ('pending', 'active')),
  salt blob not null,
  memory integer not null,
  passes integer not null,
  lanes integer not null,
  verifier text not null,
  invite blob,
  registration blob,
  since integer not null
) strict, without rowid;

create index people_by_state on people (state, since);

create table invites (
  hash blob primary key,
  uses integer not null check (uses >= 1),
  used integer not null check (used between 0 and uses),
  expires integer not null
) strict, without rowid;

create table families (
  id text primary key,
  account text not null references people (account) on delete cascade,
  device integer not null,
  expires integer not null,
  ended integer not null
) strict, without rowid;

create index families_by_account on families (account, device);

create table refresh_tokens (
  hash blob primary key,
  family text not null references families (id) on delete cascade,
  next blob,
  expires integer not null
) strict, without rowid;

create index refresh_tokens_by_family on refresh_tokens (family);

create table signing_keys (
  kid text primary key,
  private text not null,
  starts integer not null,
  ends integer not null
) strict, without rowid;

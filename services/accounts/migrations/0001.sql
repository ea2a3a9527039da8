create table people (
  account text primary key,
  name text not null unique,
  state text not null check (state in ('pending', 'waiting', 'admitted', 'refused', 'active')),
  role text not null check (role in ('member', 'moderator', 'admin')),
  salt blob,
  memory integer,
  passes integer,
  lanes integer,
  verifier text,
  password_key blob,
  oidc_subject blob unique,
  code_salt blob not null,
  code_memory integer not null,
  code_passes integer not null,
  code_lanes integer not null,
  totp_secret blob,
  totp_pending blob,
  totp_step integer not null default 0,
  reset_asked integer,
  invite blob,
  registration blob,
  since integer not null,
  check ((verifier is null) = (password_key is null)),
  check ((verifier is null) <> (oidc_subject is null))
) strict, without rowid;

create index people_by_state on people (state, since);

create table invites (
  hash blob primary key,
  uses integer not null check (uses >= 1),
  used integer not null check (used between 0 and uses),
  expires integer not null,
  role text not null check (role in ('member', 'moderator', 'admin'))
) strict, without rowid;

create table families (
  id text primary key,
  account text not null references people (account) on delete cascade,
  device integer not null,
  begun_day integer not null,
  used_day integer not null,
  expires integer not null,
  ended integer
) strict, without rowid;

create index families_by_account on families (account, device);
create index families_by_end on families (ended);

create table refresh_tokens (
  hash blob primary key,
  family text not null references families (id) on delete cascade,
  next blob,
  expires integer not null
) strict, without rowid;

create index refresh_tokens_by_family on refresh_tokens (family);

create table signing_keys (
  kid text primary key,
  sealed blob not null,
  starts integer not null,
  ends integer not null
) strict, without rowid;

-- Nonces that gave a session, until they would have ended anyway.
create table spent_nonces (
  hash blob primary key,
  expires integer not null
) strict, without rowid;

-- The present record of an account's keys; `staged` ones wait for the directory to have their list.
create table records (
  account text primary key references people (account) on delete cascade,
  version integer not null,
  hash blob not null,
  bytes blob not null
) strict, without rowid;

create table staged_records (
  account text not null references people (account) on delete cascade,
  list_hash blob not null,
  bytes blob not null,
  shares blob not null,
  joining text,
  since integer not null,
  primary key (account, list_hash)
) strict, without rowid;

-- What a backup code needs of the island: deleted when it is used.
create table code_slots (
  account text not null references people (account) on delete cascade,
  loc blob not null,
  proof_hash blob not null,
  share blob not null,
  primary key (account, loc)
) strict, without rowid;

-- Those on their way to a device; `share` is what their code released, until they have joined.
create table joinings (
  id text primary key,
  account text not null references people (account) on delete cascade,
  expires integer not null,
  loc blob,
  share blob,
  done integer not null default 0
) strict, without rowid;

create index joinings_by_end on joinings (expires);

-- One row at most: how people may join, and the organisation's own sign-in.
create table policy (
  id integer primary key check (id = 1),
  registration text not null check (registration in ('closed', 'invite', 'approval', 'open')),
  oidc blob
) strict;

insert into policy (id, registration) values (1, 'invite');

create table oidc_flows (
  flow blob primary key,
  state blob not null unique,
  sealed blob not null,
  grant_hash blob unique,
  subject blob,
  name text,
  stage text not null check (stage in ('begun', 'returned', 'granted', 'refused')),
  tries integer not null default 0,
  expires integer not null
) strict, without rowid;

-- Accounts that were ended here and not yet everywhere: the row goes when every service has let go of them.
create table endings (
  account text primary key
) strict, without rowid;

-- Their sessions, without saying whose, for gateways that may have missed the end.
create table ended_sessions (
  id text primary key,
  -- Unix seconds.
  ended integer not null
) strict, without rowid;

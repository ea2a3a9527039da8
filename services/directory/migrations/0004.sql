-- What the map of the log is asked about: 0x01 and an account, 0x02 and a name.
create table log_labels (
  id integer primary key,
  label blob not null unique check (length(label) between 2 and 33),
  -- The label under the VRF of this log, and the proof of it: null until its first event is in the log.
  place blob check (place is null or length(place) = 32),
  proof blob check (proof is null or length(proof) = 80),
  -- Its newest event that is in the log: version, index of the entry, RFC 6962 hash of the entry.
  version integer not null default 0 check (version >= 0),
  position integer,
  hash blob check (hash is null or length(hash) = 32),
  check ((version = 0) = (position is null) and (version = 0) = (hash is null))
) strict;

-- What happened to a label, in order, without a gap in seq: an epoch takes what is behind the last one.
create table log_events (
  seq integer primary key,
  label integer not null references log_labels (id),
  version integer not null check (version >= 1),
  flags integer not null check (flags between 1 and 63),
  -- Opens the commitment of its entry; null once it was erased.
  opening blob check (opening is null or length(opening) = 16),
  -- Of a name: the account. That of an account is its list of this epoch.
  state blob,
  unique (label, version)
) strict;

create trigger log_events_are_final before update of seq, label, version, flags on log_events begin
  select raise(abort, 'an event of the log is final');
end;

create trigger log_events_are_kept before delete on log_events begin
  select raise(abort, 'an event of the log is kept');
end;

-- One checkpoint each. At most the newest is open: signed by the log, not published yet.
create table log_epochs (
  number integer primary key check (number >= 1),
  size integer not null unique,
  -- The newest event in the log at that size, 0 for none: it lies just before the EPOCH.
  last_event integer not null,
  -- The newest policy in the log at that size.
  policy integer not null,
  -- Unix milliseconds, as in the EPOCH.
  timestamp integer not null,
  root blob not null check (length(root) = 32),
  map_root blob not null check (length(map_root) = 32),
  map_count integer not null,
  -- As the log signed it: never another one of that size.
  note text not null,
  -- With the signatures of the witnesses. An epoch that has it is published.
  published text
) strict;

create index log_epochs_events on log_epochs (last_event, number);
create unique index one_open_epoch on log_epochs ((published is null)) where published is null;

create trigger log_epochs_are_final before update of number, size, last_event, policy, timestamp, root, map_root, map_count, note on log_epochs begin
  select raise(abort, 'an epoch of the log is final');
end;

create trigger log_epochs_are_kept before delete on log_epochs begin
  select raise(abort, 'an epoch of the log is kept');
end;

-- Entries 256 × bundle onwards, each with its length before it: c2sp.org/tlog-tiles.
create table log_bundles (
  bundle integer primary key check (bundle >= 0),
  entries blob not null
) strict;

-- The hashes of all complete subtrees of a tile, level for level from its lowest: up to 256, 128, … 2.
create table log_tiles (
  level integer not null,
  tile integer not null,
  hashes blob not null,
  primary key (level, tile)
) strict;

-- Lists and names from before there was a log, in their order.
insert into log_labels (label)
  select unhex('01' || account) from lists where epoch = 1 order by rowid;
insert into log_labels (label)
  select unhex('02' || hex(name)) from names order by name;
insert into log_events (label, version, flags, opening, state)
  select label, version, flags, randomblob(16), state from (
    select l.id as label, lists.epoch as version,
        -- The third byte of a list has its flags.
        16 * instr('123456789ABCDEF', substr(hex(substr(lists.bytes, 3, 1)), 1, 1))
          + instr('123456789ABCDEF', substr(hex(substr(lists.bytes, 3, 1)), 2, 1)) as flags,
        null as state, 2 * lists.rowid as place
      from lists join log_labels l on l.label = unhex('01' || lists.account)
    union all
    select l.id, 1, 1, unhex(names.account), 2 * lists.rowid + 1
      from names join lists on lists.account = names.account and lists.epoch = 1
      join log_labels l on l.label = unhex('02' || hex(names.name))
  ) order by place;

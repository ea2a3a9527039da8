-- The newest event of a label was kept with the label: a page at random for each change. What an event is in the log
-- is kept with the event, in whose order they are written; which is a label's newest its version says.
drop trigger lists_are_kept;

create table new_labels (
  id integer primary key,
  label blob not null unique check (length(label) between 2 and 33),
  -- The label under the VRF of this log, and the proof of it: null until its first event is in the log.
  place blob check (place is null or length(place) = 32),
  proof blob check (proof is null or length(proof) = 80)
) strict;
insert into new_labels (id, label, place, proof) select id, label, place, proof from log_labels order by id;

create table new_events (
  seq integer primary key,
  label integer not null references new_labels (id),
  version integer not null check (version >= 1),
  flags integer not null check (flags between 1 and 63),
  -- Opens the commitment of its entry; null once it was erased.
  opening blob check (opening is null or length(opening) = 16),
  -- Of a name: the account. That of an account is its list of this epoch.
  state blob,
  -- The EVENT, once it is in a log: every later one has it byte for byte. Of some from before there was this column it
  -- is in log_bundles alone.
  entry blob check (entry is null or length(entry) = 102),
  unique (label, version)
) strict;
insert into new_events (seq, label, version, flags, opening, state, entry)
  select e.seq, e.label, e.version, e.flags, e.opening, e.state, coalesce(e.entry, iif(l.version = e.version, l.entry, null))
  from log_events e join log_labels l on l.id = e.label order by e.seq;

create table new_endings (
  account text primary key,
  -- The labels of the account and of its name.
  account_label integer not null references new_labels (id),
  name_label integer not null references new_labels (id)
) strict, without rowid;
insert into new_endings select account, account_label, name_label from endings;

drop table endings;
drop table log_events;
drop table log_labels;
alter table new_labels rename to log_labels;
alter table new_events rename to log_events;
alter table new_endings rename to endings;

create trigger log_events_are_final before update of seq, label, version, flags on log_events begin
  select raise(abort, 'an event of the log is final');
end;

create trigger log_entries_are_final before update of entry on log_events
  when old.entry is not null and new.entry is not old.entry begin
  select raise(abort, 'an event of the log is final');
end;

create trigger log_events_are_kept before delete on log_events begin
  select raise(abort, 'an event of the log is kept');
end;

-- A list is kept as long as its account: the log commits to each, and shows it until it shows that the account ended.
create trigger lists_are_kept before delete on lists
  when not exists (select 1 from endings where endings.account = old.account) begin
  select raise(abort, 'a stored device list is kept');
end;

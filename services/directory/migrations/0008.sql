-- The logs before this one, which were put back to an earlier state and can sign nothing more.
create table log_predecessors (
  -- 1 for the log that the island began with.
  number integer primary key check (number >= 1),
  vkey text not null,
  -- Its newest checkpoint here, as it was signed.
  size integer not null,
  root blob not null check (length(root) = 32),
  note text not null,
  -- The largest size of it that witnesses are known to have signed.
  seen integer not null check (seen >= size),
  -- The newest event when it ended: its successor answers nothing before it has that, too.
  events integer not null,
  -- Unix seconds.
  ended integer not null
) strict;

create trigger log_predecessors_are_final before update on log_predecessors begin
  select raise(abort, 'what a log follows is final');
end;

create trigger log_predecessors_are_kept before delete on log_predecessors begin
  select raise(abort, 'what a log follows is kept');
end;

-- The successor that waits until witnesses have signed its first checkpoint. Its log signs nothing meanwhile.
create table log_successor (
  id integer primary key check (id = 1),
  policy text not null,
  size integer not null,
  root blob not null check (length(root) = 32),
  seen integer not null,
  -- Of its first EPOCH, Unix milliseconds.
  timestamp integer not null
) strict;

-- An event whose opening was erased, as it stood in the log before: nobody can make it anew.
alter table log_events add column entry blob check (entry is null or length(entry) = 102);

drop trigger log_epochs_are_kept;
create trigger log_epochs_are_kept before delete on log_epochs when not exists (select 1 from log_successor) begin
  select raise(abort, 'an epoch of the log is kept');
end;

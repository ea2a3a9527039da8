-- Accounts that ended, until the log has published so: then their lists and openings go, and the row with them.
create table endings (
  account text primary key,
  -- The labels of the account and of its name.
  account_label integer not null references log_labels (id),
  name_label integer not null references log_labels (id)
) strict, without rowid;

-- A list is kept as long as its account: the log commits to each, and shows it until it shows that the account ended.
drop trigger lists_are_kept;
create trigger lists_are_kept before delete on lists
  when not exists (select 1 from endings where endings.account = old.account) begin
  select raise(abort, 'a stored device list is kept');
end;

-- Of a label that was erased its place in the map is left: the label is 0x00 and the place, which nobody can turn back.

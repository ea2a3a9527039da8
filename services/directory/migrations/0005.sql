-- The newest event of the label as it is in the log: so that an answer reads one row of each label, and no bundle.
alter table log_labels add column entry blob check (entry is null or length(entry) = 102);

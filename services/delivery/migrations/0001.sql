CREATE TABLE mailboxes (
  mailbox BLOB NOT NULL PRIMARY KEY CHECK (length(mailbox) = 20),
  head INTEGER NOT NULL CHECK (head >= floor),
  floor INTEGER NOT NULL CHECK (floor >= 0)
) WITHOUT ROWID, STRICT;

CREATE TABLE envelopes (
  mailbox BLOB NOT NULL REFERENCES mailboxes (mailbox),
  seq INTEGER NOT NULL CHECK (seq > 0),
  id BLOB NOT NULL CHECK (length(id) = 16),
  body BLOB NOT NULL,
  day INTEGER NOT NULL,
  PRIMARY KEY (mailbox, seq)
) WITHOUT ROWID, STRICT;

CREATE TABLE accepted (
  id BLOB NOT NULL CHECK (length(id) = 16),
  mailbox BLOB NOT NULL,
  gone INTEGER,
  PRIMARY KEY (id, mailbox)
) WITHOUT ROWID, STRICT;

CREATE INDEX accepted_gone ON accepted (gone) WHERE gone IS NOT NULL;

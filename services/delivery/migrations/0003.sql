-- Bodies are sealed from here on; those that wait are put aside, and sealed when delivery starts.
DROP INDEX envelopes_request;
ALTER TABLE envelopes RENAME TO former_envelopes;

CREATE TABLE envelopes (
  mailbox BLOB NOT NULL REFERENCES mailboxes (mailbox),
  seq INTEGER NOT NULL CHECK (seq > 0),
  id BLOB NOT NULL CHECK (length(id) = 16),
  body BLOB NOT NULL CHECK (length(body) >= 33),
  day INTEGER NOT NULL,
  request INTEGER NOT NULL DEFAULT 0 CHECK (request IN (0, 1)),
  PRIMARY KEY (mailbox, seq)
) WITHOUT ROWID, STRICT;

CREATE INDEX envelopes_request ON envelopes (mailbox) WHERE request = 1;

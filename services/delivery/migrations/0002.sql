-- What came without the recipient's delivery key is counted for itself.
ALTER TABLE envelopes ADD COLUMN request INTEGER NOT NULL DEFAULT 0 CHECK (request IN (0, 1));
CREATE INDEX envelopes_request ON envelopes (mailbox) WHERE request = 1;

CREATE TABLE spent (
  day INTEGER NOT NULL,
  token BLOB NOT NULL CHECK (length(token) = 16),
  context BLOB NOT NULL CHECK (length(context) = 16),
  PRIMARY KEY (day, token)
) WITHOUT ROWID, STRICT;

CREATE TABLE issued (
  day INTEGER NOT NULL,
  class INTEGER NOT NULL CHECK (class IN (1, 2)),
  holder BLOB NOT NULL CHECK (length(holder) = 16),
  count INTEGER NOT NULL CHECK (count > 0),
  PRIMARY KEY (day, class, holder)
) WITHOUT ROWID, STRICT;

CREATE TABLE delivery_keys (
  account BLOB NOT NULL CHECK (length(account) = 16),
  epoch INTEGER NOT NULL CHECK (epoch > 0),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  until INTEGER,
  PRIMARY KEY (account, epoch)
) WITHOUT ROWID, STRICT;

CREATE UNIQUE INDEX one_delivery_key ON delivery_keys (account) WHERE until IS NULL;

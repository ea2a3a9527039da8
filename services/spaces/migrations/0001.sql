CREATE TABLE spaces (
  space BLOB NOT NULL PRIMARY KEY CHECK (length(space) = 16),
  seq INTEGER NOT NULL CHECK (seq > 0),
  owner BLOB NOT NULL CHECK (length(owner) = 16),
  lists INTEGER NOT NULL CHECK (lists >= 0),
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  ended INTEGER
) WITHOUT ROWID, STRICT;

CREATE INDEX spaces_owner ON spaces (owner);

CREATE TABLE entries (
  space BLOB NOT NULL REFERENCES spaces (space),
  seq INTEGER NOT NULL CHECK (seq > 0),
  entry BLOB NOT NULL,
  PRIMARY KEY (space, seq)
) WITHOUT ROWID, STRICT;

CREATE TABLE memberships (
  account BLOB NOT NULL CHECK (length(account) = 16),
  space BLOB NOT NULL REFERENCES spaces (space),
  lists INTEGER NOT NULL CHECK (lists >= 0),
  PRIMARY KEY (account, space)
) WITHOUT ROWID, STRICT;

CREATE INDEX memberships_space ON memberships (space, lists);

CREATE TABLE channels (
  channel BLOB NOT NULL PRIMARY KEY CHECK (length(channel) = 16),
  space BLOB NOT NULL REFERENCES spaces (space),
  head INTEGER NOT NULL CHECK (head >= 0),
  feed BLOB NOT NULL CHECK (length(feed) = 32),
  gone INTEGER NOT NULL CHECK (gone IN (0, 1))
) WITHOUT ROWID, STRICT;

CREATE INDEX channels_space ON channels (space);

CREATE TABLE posts (
  channel BLOB NOT NULL REFERENCES channels (channel),
  seq INTEGER NOT NULL CHECK (seq > 0),
  accepted INTEGER NOT NULL CHECK (accepted > 0),
  author BLOB NOT NULL CHECK (length(author) = 16),
  device INTEGER NOT NULL CHECK (device > 0),
  chain BLOB NOT NULL CHECK (length(chain) = 16),
  iteration INTEGER NOT NULL CHECK (iteration >= 0),
  leaf BLOB NOT NULL CHECK (length(leaf) = 32),
  feed BLOB NOT NULL CHECK (length(feed) = 32),
  post BLOB,
  PRIMARY KEY (channel, seq)
) WITHOUT ROWID, STRICT;

CREATE UNIQUE INDEX posts_once ON posts (channel, author, device, chain, iteration);

CREATE TABLE reports (
  space BLOB NOT NULL REFERENCES spaces (space),
  number INTEGER NOT NULL CHECK (number > 0),
  report BLOB NOT NULL CHECK (length(report) = 16),
  author BLOB NOT NULL CHECK (length(author) = 16),
  day INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (space, number)
) WITHOUT ROWID, STRICT;

CREATE UNIQUE INDEX reports_once ON reports (space, report);

CREATE TABLE beginning (
  one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  beginners TEXT NOT NULL CHECK (beginners IN ('everybody', 'listed', 'nobody'))
) WITHOUT ROWID, STRICT;

INSERT INTO beginning (one, beginners) VALUES (1, 'everybody');

CREATE TABLE listed (
  account BLOB NOT NULL PRIMARY KEY CHECK (length(account) = 16)
) WITHOUT ROWID, STRICT;

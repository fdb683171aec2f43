-- What has happened in the conferences of each account, numbered without gaps.
CREATE TABLE event_logs (
    account_id INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (id),
    last_seq   INTEGER NOT NULL -- of the last event that was written; it stays when events are deleted
) STRICT;

CREATE TABLE events (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    body       TEXT    NOT NULL, -- JSON, without the number
    PRIMARY KEY (account_id, seq)
) STRICT, WITHOUT ROWID;

-- What has begun by the log, and not ended: a restart closes it.
CREATE TABLE ongoing (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    conference TEXT    NOT NULL,
    kind       TEXT    NOT NULL, -- participant, conference, recording …
    id         TEXT    NOT NULL, -- which one; empty where there is one at most
    data       TEXT,             -- of a reservation what its event told, in JSON
    PRIMARY KEY (account_id, conference, kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE calls (
    id         TEXT    PRIMARY KEY, -- the participant id
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    service    TEXT    NOT NULL,
    conference TEXT,
    caller     TEXT    NOT NULL,
    called     TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    cause      TEXT,
    stats      TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX calls_by_account ON calls (account_id, started_at);
CREATE INDEX calls_open ON calls (id) WHERE ended_at IS NULL;

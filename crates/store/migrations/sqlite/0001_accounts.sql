-- Times are milliseconds since the Unix epoch, UTC, in every table.

CREATE TABLE accounts (
    id         INTEGER PRIMARY KEY,
    cloud_id   TEXT    NOT NULL,
    username   TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (cloud_id, username)
) STRICT;

-- The ids are shown to people and must never mean another key: hence AUTOINCREMENT.
CREATE TABLE api_keys (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id   INTEGER NOT NULL REFERENCES accounts (id),
    prefix       TEXT    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE, -- SHA-256 of the key's text
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;

CREATE INDEX api_keys_by_account ON api_keys (account_id);

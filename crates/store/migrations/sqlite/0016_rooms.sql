-- Conferences that people reach by keypad. Numbers are unique within an account.
CREATE TABLE rooms (
    account_id      INTEGER NOT NULL REFERENCES accounts (id),
    number          TEXT    NOT NULL, -- digits
    body            TEXT    NOT NULL, -- JSON, without the PINs
    pin_hash        TEXT,             -- null: there is no such PIN
    leader_pin_hash TEXT,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    PRIMARY KEY (account_id, number)
) STRICT, WITHOUT ROWID;

-- Wrong PINs of late, as levels that drain with time, and who was right.
CREATE TABLE pin_tries (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    room       TEXT    NOT NULL, -- its number; empty: of all rooms
    kind       TEXT    NOT NULL, -- caller, source, room, alarm
    who        BLOB    NOT NULL, -- hash of what the caller or the source is told apart by; empty: every caller
    level      INTEGER NOT NULL, -- thousandths of wrong PINs, at that time
    at         INTEGER NOT NULL,
    right_at   INTEGER,          -- when a caller's PIN was last right
    PRIMARY KEY (account_id, room, kind, who)
) STRICT, WITHOUT ROWID;
CREATE INDEX pin_tries_by_age ON pin_tries (at);

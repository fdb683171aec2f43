CREATE TABLE reservations (
    token            TEXT    PRIMARY KEY,
    account_id       INTEGER NOT NULL REFERENCES accounts (id),
    name             TEXT    NOT NULL,
    max_participants INTEGER NOT NULL CHECK (max_participants > 0),
    starts_at        INTEGER NOT NULL,
    duration_minutes INTEGER NOT NULL CHECK (duration_minutes > 0),
    ends_at          INTEGER NOT NULL AS (starts_at + duration_minutes * 60000) STORED,
    divert           TEXT,
    created_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Both questions asked of the table are about those that are not over yet.
CREATE INDEX reservations_by_end ON reservations (ends_at);
CREATE INDEX reservations_by_name ON reservations (account_id, name, ends_at);

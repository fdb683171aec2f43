-- Browsers that are signed in.
CREATE TABLE web_sessions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    person_id    INTEGER NOT NULL REFERENCES people (id),
    hash         BLOB    NOT NULL UNIQUE, -- SHA-256 of the cookie
    account_id   INTEGER REFERENCES accounts (id), -- the account that is worked in; null: the first
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    address      TEXT,
    user_agent   TEXT
) STRICT;
CREATE INDEX web_sessions_by_person ON web_sessions (person_id, id);
CREATE INDEX web_sessions_by_age ON web_sessions (created_at);

ALTER TABLE audit ADD COLUMN person_id INTEGER; -- who had signed in; null: nobody, it was a key or the operator of the machine

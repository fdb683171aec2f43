-- Providers that calls go out to and come in from. Names are unique within an account.
CREATE TABLE trunks (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    name       TEXT    NOT NULL,
    body       TEXT    NOT NULL, -- JSON, without the password
    password   TEXT,             -- as it is: an answer to a challenge is made of it
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;

-- Calls of ours are on record too.
ALTER TABLE calls ADD COLUMN direction TEXT NOT NULL DEFAULT 'in'; -- in, out
ALTER TABLE calls ADD COLUMN trunk TEXT; -- its name, where the call went or came through one

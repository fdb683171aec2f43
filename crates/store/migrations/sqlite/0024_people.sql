-- People who sign in.
CREATE TABLE people (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    mail          TEXT    NOT NULL,
    login         TEXT    NOT NULL UNIQUE, -- the mail address in small letters
    name          TEXT    NOT NULL,
    language      TEXT    NOT NULL,
    password_hash TEXT,                    -- Argon2id; null: no invitation has been accepted yet
    is_operator   INTEGER NOT NULL CHECK (is_operator IN (0, 1)),
    is_disabled   INTEGER NOT NULL CHECK (is_disabled IN (0, 1)),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    signed_in_at  INTEGER
) STRICT;

-- What they may do in which account.
CREATE TABLE people_roles (
    person_id  INTEGER NOT NULL REFERENCES people (id),
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    role       TEXT    NOT NULL, -- organiser, auditor, admin
    PRIMARY KEY (person_id, account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX people_roles_by_account ON people_roles (account_id, person_id);

-- Codes by which a person sets a password, once; the latest of each.
CREATE TABLE invitations (
    person_id  INTEGER PRIMARY KEY REFERENCES people (id),
    hash       BLOB    NOT NULL UNIQUE, -- SHA-256 of the code
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- Wrong passwords of late, as levels that drain with time, and who was right.
CREATE TABLE sign_in_tries (
    kind     TEXT    NOT NULL, -- caller (an address for a login), source (an address), login
    who      BLOB    NOT NULL, -- hash of what it is told apart by
    level    INTEGER NOT NULL, -- thousandths of wrong passwords, at that time
    at       INTEGER NOT NULL,
    right_at INTEGER,          -- when that address last had the right password of that login
    PRIMARY KEY (kind, who)
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_tries_by_age ON sign_in_tries (at);

-- Who may call by digest authentication. Names are unique over the installation: a phone says a name, not an account.
CREATE TABLE sip_users (
    name       TEXT    PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    realm      TEXT    NOT NULL, -- part of both hashes
    ha1_md5    TEXT    NOT NULL,
    ha1_sha256 TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sip_users_by_account ON sip_users (account_id, name);

-- Keys of the installation itself, made when they are first needed.
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

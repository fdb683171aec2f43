-- Names are unique over the installation: a caller dials a name, not an account.
CREATE TABLE inbound_services (
    name       TEXT    PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    body       TEXT    NOT NULL, -- JSON, as it was put
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX inbound_services_by_account ON inbound_services (account_id, name);

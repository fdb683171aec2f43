-- Access keys of browsers (WebRTC). They name the account that a browser calls, and are no secret. Revoked ones stay: a
-- page that still carries one must never reach another account. Hence they are unique over the installation.
CREATE TABLE webrtc_keys (
    key        TEXT    PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    services   TEXT, -- JSON list of the names of inbound services that it may call; null: every one
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX webrtc_keys_by_account ON webrtc_keys (account_id, created_at);

-- Inbound services are unique within an account. Over the installation they are unique where a caller needs nothing but
-- the name (is_bare); callers of the others bring what names the account: an access key, a token, a user name.
CREATE TABLE services_by_account (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    name       TEXT    NOT NULL,
    body       TEXT    NOT NULL, -- JSON, as it was put
    is_bare    INTEGER NOT NULL DEFAULT 1 CHECK (is_bare IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;

INSERT INTO services_by_account (account_id, name, body, created_at, updated_at)
    SELECT account_id, name, body, created_at, updated_at FROM inbound_services;
DROP TABLE inbound_services;
ALTER TABLE services_by_account RENAME TO inbound_services;
CREATE UNIQUE INDEX inbound_services_by_bare_name ON inbound_services (name) WHERE is_bare = 1;
CREATE INDEX inbound_services_by_name ON inbound_services (name);

-- What let a caller in: network, trunk, user, token, webrtc. Null: we called, or it is not known.
ALTER TABLE calls ADD COLUMN admitted_by TEXT;

-- Where events of accounts are sent. The secret is kept as it is, for messages are signed with it.
CREATE TABLE webhooks (
    account_id       INTEGER NOT NULL REFERENCES accounts (id),
    name             TEXT    NOT NULL,
    body             TEXT    NOT NULL, -- JSON
    secret           TEXT    NOT NULL,
    old_secret       TEXT,             -- messages are signed with it as well
    old_secret_until INTEGER,          -- until then
    sent_up_to       INTEGER NOT NULL, -- the number of the last event that was sent, or passed over
    failures         INTEGER NOT NULL, -- how often the next one was tried in vain
    next_at          INTEGER,          -- when it is tried again
    last_error       TEXT,
    lease            TEXT,             -- the process that sends
    lease_until      INTEGER,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;

-- What was sent, or tried. Tests have no number.
CREATE TABLE webhook_deliveries (
    account_id  INTEGER NOT NULL REFERENCES accounts (id),
    webhook     TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    seq         INTEGER,
    type        TEXT    NOT NULL,
    state       TEXT    NOT NULL, -- pending, delivered, failed
    attempts    INTEGER NOT NULL,
    status      INTEGER,
    error       TEXT,
    duration_ms INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    tried_at    INTEGER NOT NULL,
    PRIMARY KEY (account_id, webhook, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (account_id, webhook, created_at, id);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at);

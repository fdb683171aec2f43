-- Where events of accounts are sent. The secret is kept as it is, for messages are signed with it.
CREATE TABLE webhooks (
    account_id       BIGINT  NOT NULL REFERENCES accounts (id),
    name             TEXT    COLLATE "C" NOT NULL,
    body             TEXT    NOT NULL, -- JSON
    secret           TEXT    NOT NULL,
    old_secret       TEXT,             -- messages are signed with it as well
    old_secret_until BIGINT ,          -- until then
    sent_up_to       BIGINT  NOT NULL, -- the number of the last event that was sent, or passed over
    failures         BIGINT  NOT NULL, -- how often the next one was tried in vain
    next_at          BIGINT ,          -- when it is tried again
    last_error       TEXT,
    lease            TEXT,             -- the process that sends
    lease_until      BIGINT ,
    created_at       BIGINT  NOT NULL,
    updated_at       BIGINT  NOT NULL,
    PRIMARY KEY (account_id, name)
);

-- What was sent, or tried. Tests have no number.
CREATE TABLE webhook_deliveries (
    account_id  BIGINT  NOT NULL REFERENCES accounts (id),
    webhook     TEXT    COLLATE "C" NOT NULL,
    id          TEXT    COLLATE "C" NOT NULL,
    seq         BIGINT ,
    type        TEXT    NOT NULL,
    state       TEXT    NOT NULL, -- pending, delivered, failed
    attempts    BIGINT  NOT NULL,
    status      BIGINT ,
    error       TEXT,
    duration_ms BIGINT  NOT NULL,
    created_at  BIGINT  NOT NULL,
    tried_at    BIGINT  NOT NULL,
    PRIMARY KEY (account_id, webhook, id)
);
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (account_id, webhook, created_at, id);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at);

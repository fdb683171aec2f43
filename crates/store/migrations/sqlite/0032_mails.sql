-- Mails that were or are to be sent, written with the change that they tell of. `body` holds what they say, as JSON.
CREATE TABLE mails (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id  INTEGER NOT NULL REFERENCES accounts (id),
    reservation TEXT    NOT NULL, -- its token
    recipient   TEXT    NOT NULL,
    kind        TEXT    NOT NULL, -- invitation, update, cancellation
    body        TEXT    NOT NULL,
    state       TEXT    NOT NULL, -- waiting, sent, failed
    attempts    INTEGER NOT NULL,
    error       TEXT,
    created_at  INTEGER NOT NULL,
    next_at     INTEGER,          -- when it is tried (again); null: it is not
    sent_at     INTEGER
) STRICT;
CREATE INDEX mails_due ON mails (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX mails_by_reservation ON mails (account_id, reservation, id);
CREATE INDEX mails_by_age ON mails (created_at);

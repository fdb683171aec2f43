-- Who changed what. Kept apart from what it is about: it stays when an account or a key is gone.
CREATE TABLE audit (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    account_id   INTEGER,          -- whose key it was; null: the operator of the machine
    actor        TEXT    NOT NULL, -- cloud id and user name of the account, or the user of the machine
    key_id       INTEGER,
    source       TEXT,             -- the address it came from; null: this machine
    request_id   TEXT,
    method       TEXT    NOT NULL, -- of HTTP; COMMAND: on the command line
    path         TEXT    NOT NULL, -- what it was about
    status       INTEGER NOT NULL, -- of HTTP
    before_json  TEXT,
    after_json   TEXT,
    request_json TEXT
) STRICT;
CREATE INDEX audit_by_age ON audit (at);

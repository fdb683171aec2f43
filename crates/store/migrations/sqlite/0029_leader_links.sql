-- A leader's link is a key of one conference that a browser opens. With a reservation it counts as long as that.
ALTER TABLE api_keys ADD COLUMN leader_link INTEGER NOT NULL DEFAULT 0 CHECK (leader_link IN (0, 1));
ALTER TABLE api_keys ADD COLUMN reservation TEXT; -- its token
CREATE INDEX api_keys_of_leaders ON api_keys (account_id, id) WHERE leader_link;

-- Browsers that have opened one.
CREATE TABLE leader_sessions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id       INTEGER NOT NULL REFERENCES api_keys (id),
    hash         BLOB    NOT NULL UNIQUE, -- SHA-256 of the cookie
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    address      TEXT,
    user_agent   TEXT
) STRICT;
CREATE INDEX leader_sessions_by_key ON leader_sessions (key_id, id);
CREATE INDEX leader_sessions_by_age ON leader_sessions (created_at);

-- Keys that may do all that an account may read the audit log as well.
UPDATE api_keys SET scopes = 'read control book records config audit' WHERE scopes = 'read control book records config';

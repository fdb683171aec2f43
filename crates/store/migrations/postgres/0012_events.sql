-- What has happened in the conferences of each account, numbered without gaps.
CREATE TABLE event_logs (
    account_id BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (id),
    last_seq   BIGINT NOT NULL -- of the last event that was written; it stays when events are deleted
);

CREATE TABLE events (
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    seq        BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    body       TEXT   NOT NULL, -- JSON, without the number
    PRIMARY KEY (account_id, seq)
);

-- What has begun by the log, and not ended: a restart closes it.
CREATE TABLE ongoing (
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    conference TEXT   COLLATE "C" NOT NULL,
    kind       TEXT   COLLATE "C" NOT NULL, -- participant, conference, recording …
    id         TEXT   COLLATE "C" NOT NULL, -- which one; empty where there is one at most
    data       TEXT,                        -- of a reservation what its event told, in JSON
    PRIMARY KEY (account_id, conference, kind, id)
);

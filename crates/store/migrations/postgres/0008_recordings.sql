-- Recordings of conferences. The audio is in files of the node that made it; what is known of it is its manifest.
CREATE TABLE recordings (
    id          TEXT    COLLATE "C" NOT NULL PRIMARY KEY, -- sorts by time
    account_id  BIGINT  NOT NULL REFERENCES accounts (id),
    conference  TEXT    COLLATE "C" NOT NULL,
    state       TEXT    NOT NULL, -- running, finished, interrupted, failed
    started_at  BIGINT  NOT NULL,
    ended_at    BIGINT,
    manifest    TEXT    NOT NULL -- JSON
);
CREATE INDEX recordings_of_account ON recordings (account_id, id);
CREATE INDEX recordings_by_end ON recordings (ended_at);

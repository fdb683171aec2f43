-- Call records say when a call was answered, who ended it, and whether the other side's number has been removed from it.
ALTER TABLE calls ADD COLUMN answered_at INTEGER; -- null: not yet, or never
ALTER TABLE calls ADD COLUMN ended_by TEXT;       -- remote, service, network
ALTER TABLE calls ADD COLUMN redacted_at INTEGER; -- null: numbers are as they were
-- Of calls that came in, only answered ones were written down.
UPDATE calls SET answered_at = started_at WHERE direction = 'in';
DROP INDEX calls_by_account;
CREATE INDEX calls_by_account ON calls (account_id, started_at, id);
CREATE INDEX calls_by_end ON calls (ended_at);

-- Conferences that are over, and those that are going on.
CREATE TABLE history (
    id          TEXT    NOT NULL PRIMARY KEY, -- sorts by time
    account_id  INTEGER NOT NULL REFERENCES accounts (id),
    conference  TEXT    NOT NULL,
    reservation TEXT,             -- its token; null: it was not reserved
    seats       INTEGER NOT NULL, -- so many participants might be in
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,          -- null: it is going on
    end_reason  TEXT,
    peak        INTEGER NOT NULL  -- the most participants at a time
) STRICT, WITHOUT ROWID;
CREATE INDEX history_of_account ON history (account_id, id);
CREATE INDEX history_by_end ON history (ended_at);

-- Who was in them. One participant may have been in more than once.
CREATE TABLE history_participants (
    history_id   TEXT    NOT NULL REFERENCES history (id),
    participant  TEXT    NOT NULL,
    entered_at   INTEGER NOT NULL,
    left_at      INTEGER, -- null: it is in
    leave_reason TEXT,
    is_leader    INTEGER NOT NULL CHECK (is_leader IN (0, 1)), -- it was one, if only for a while
    PRIMARY KEY (history_id, participant, entered_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX history_participants_by_participant ON history_participants (participant);

-- When the service was last known to run: after a crash what was open is closed as of then.
CREATE TABLE last_alive (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
) STRICT;

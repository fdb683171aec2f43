-- Up to which event the numbers of the other sides have been taken out, as the configuration says.
ALTER TABLE event_logs ADD COLUMN redacted_up_to INTEGER NOT NULL DEFAULT 0;

-- Messages of calls that were refused or broke off.
CREATE TABLE call_messages (
    id       TEXT    NOT NULL PRIMARY KEY, -- the participant id
    ended_at INTEGER NOT NULL,
    bytes    INTEGER NOT NULL, -- of the next two
    people   TEXT    NOT NULL, -- numbers and names that stand in them, in JSON
    messages TEXT    NOT NULL  -- JSON
) STRICT;
CREATE INDEX call_messages_by_end ON call_messages (ended_at, id, bytes);

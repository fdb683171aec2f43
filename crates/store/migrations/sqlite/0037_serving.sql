-- The service that serves calls with this database: one at a time. `owner` names it; null: it has ended.
CREATE TABLE serving (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    owner   TEXT,
    seen_at INTEGER NOT NULL
) STRICT;

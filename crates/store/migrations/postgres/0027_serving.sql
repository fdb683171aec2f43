-- The service that serves calls with this database: one at a time. `owner` names it; null: it has ended.
CREATE TABLE serving (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    owner   TEXT   COLLATE "C",
    seen_at BIGINT NOT NULL
);

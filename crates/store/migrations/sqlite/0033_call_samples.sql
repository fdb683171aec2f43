-- How calls that are over sounded while they lasted. `samples` is JSON.
CREATE TABLE call_samples (
    id         TEXT    PRIMARY KEY, -- the call's
    account_id INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    samples    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX call_samples_by_age ON call_samples (ended_at);

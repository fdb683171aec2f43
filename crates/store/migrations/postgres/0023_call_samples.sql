-- How calls that are over sounded while they lasted. `samples` is JSON.
CREATE TABLE call_samples (
    id         TEXT COLLATE "C" PRIMARY KEY, -- the call's
    account_id BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    samples    TEXT   NOT NULL
);
CREATE INDEX call_samples_by_age ON call_samples (ended_at);

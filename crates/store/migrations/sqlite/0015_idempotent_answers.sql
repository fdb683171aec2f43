-- What was answered to requests with an Idempotency-Key, so that the same request gets the same answer for a day.
CREATE TABLE idempotent_answers (
    account_id   INTEGER NOT NULL REFERENCES accounts (id),
    key_hash     BLOB    NOT NULL,
    request_hash BLOB    NOT NULL, -- of what was asked: the same key with something else is a mistake
    answer       BLOB,             -- null: under way
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (account_id, key_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotent_answers_by_age ON idempotent_answers (created_at);

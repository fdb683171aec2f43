-- What was answered to requests with an Idempotency-Key, so that the same request gets the same answer for a day.
CREATE TABLE idempotent_answers (
    account_id   BIGINT NOT NULL REFERENCES accounts (id),
    key_hash     BYTEA  NOT NULL,
    request_hash BYTEA  NOT NULL, -- of what was asked: the same key with something else is a mistake
    answer       BYTEA,           -- null: under way
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (account_id, key_hash)
);
CREATE INDEX idempotent_answers_by_age ON idempotent_answers (created_at);

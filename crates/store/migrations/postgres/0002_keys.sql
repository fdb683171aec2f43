-- What an API Access Key may do, for which conference (null: all of the account), and until when (null: no end). Those that
-- were made before this may do all that an account may.
ALTER TABLE api_keys
    ADD COLUMN label      TEXT,
    ADD COLUMN scopes     TEXT   NOT NULL DEFAULT 'read control book records config', -- names with spaces between
    ADD COLUMN conference TEXT   COLLATE "C",
    ADD COLUMN expires_at BIGINT;

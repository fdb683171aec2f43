-- What the operator allows an account; null: as is configured.
ALTER TABLE accounts ADD COLUMN is_disabled BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE accounts ADD COLUMN max_participants BIGINT;
ALTER TABLE accounts ADD COLUMN requests_per_second BIGINT;

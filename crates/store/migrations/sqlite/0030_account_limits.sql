-- What the operator allows an account; null: as is configured.
ALTER TABLE accounts ADD COLUMN is_disabled INTEGER NOT NULL DEFAULT 0 CHECK (is_disabled IN (0, 1));
ALTER TABLE accounts ADD COLUMN max_participants INTEGER;
ALTER TABLE accounts ADD COLUMN requests_per_second INTEGER;

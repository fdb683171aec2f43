-- Reservations that were made together, on dates of a calendar. `body` says how they repeat.
CREATE TABLE series (
    id         BIGINT PRIMARY KEY, -- random: by it calendars tell series of all installations apart
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    conference TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    sequence   BIGINT NOT NULL, -- how often its dates have been changed or removed
    created_at BIGINT NOT NULL
);
CREATE INDEX series_by_account ON series (account_id, created_at, id);

-- What calendars of other programs know of a reservation: a number that rises with each change (RFC 5545, section 3.8.7.4), who
-- is invited (JSON), and the date of a series that it stands for: its start as the series has it.
ALTER TABLE reservations ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reservations ADD COLUMN guests TEXT;
ALTER TABLE reservations ADD COLUMN series BIGINT;
ALTER TABLE reservations ADD COLUMN occurrence BIGINT;
CREATE INDEX reservations_by_series ON reservations (series, occurrence) WHERE series IS NOT NULL;

-- Links by which a person's calendar reads the reservations of an account; the latest of each.
CREATE TABLE calendar_feeds (
    person_id    BIGINT PRIMARY KEY REFERENCES people (id),
    account_id   BIGINT NOT NULL REFERENCES accounts (id),
    hash         BYTEA  NOT NULL UNIQUE, -- SHA-256 of the secret
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT
);

-- Recordings that are deleted, as long as their files may still be there: written with the deletion, taken back when the files are gone.
CREATE TABLE deleted_recordings (
    id         TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    deleted_at BIGINT NOT NULL
);

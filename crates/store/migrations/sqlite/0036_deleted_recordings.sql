-- Recordings that are deleted, as long as their files may still be there: written with the deletion, taken back when the files are gone.
CREATE TABLE deleted_recordings (
    id         TEXT    NOT NULL PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    deleted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Sounds that accounts have uploaded. The row is the truth; the file is in pieces beside it, so that none is too large for a
-- statement.
CREATE TABLE media (
    account_id  INTEGER NOT NULL REFERENCES accounts (id),
    name        TEXT    NOT NULL,
    format      TEXT    NOT NULL, -- wav, flac, mp3, opus, vorbis
    bytes       INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    upload      INTEGER NOT NULL, -- whose pieces are the file
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX media_by_upload ON media (upload);

-- Pieces without a row are of an upload that is under way, or was given up.
CREATE TABLE media_pieces (
    upload     INTEGER NOT NULL, -- drawn at random
    number     INTEGER NOT NULL, -- 0, 1, 2 …
    created_at INTEGER NOT NULL,
    data       BLOB    NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT;
CREATE INDEX media_pieces_by_age ON media_pieces (created_at, upload);

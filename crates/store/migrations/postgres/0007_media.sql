-- Sounds that accounts have uploaded. The row is the truth; the file is in pieces beside it, so that none is too large for a
-- statement.
CREATE TABLE media (
    account_id  BIGINT  NOT NULL REFERENCES accounts (id),
    name        TEXT    COLLATE "C" NOT NULL,
    format      TEXT    NOT NULL, -- wav, flac, mp3, opus, vorbis
    bytes       BIGINT  NOT NULL,
    duration_ms BIGINT  NOT NULL,
    upload      BIGINT  NOT NULL, -- whose pieces are the file
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL,
    PRIMARY KEY (account_id, name)
);
CREATE INDEX media_by_upload ON media (upload);

-- Pieces without a row are of an upload that is under way, or was given up.
CREATE TABLE media_pieces (
    upload     BIGINT  NOT NULL, -- drawn at random
    number     BIGINT  NOT NULL, -- 0, 1, 2 …
    created_at BIGINT  NOT NULL,
    data       BYTEA   NOT NULL,
    PRIMARY KEY (upload, number)
);
CREATE INDEX media_pieces_by_age ON media_pieces (created_at, upload);

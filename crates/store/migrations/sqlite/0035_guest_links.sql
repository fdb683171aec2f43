-- A guest's link lets call one conference as a participant. With a reservation, or a series, it counts as long as that.
CREATE TABLE guest_links (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id   INTEGER NOT NULL REFERENCES accounts (id),
    hash         BLOB    NOT NULL UNIQUE, -- SHA-256 of the code
    salt         BLOB,                    -- of a code that is told again: a key of the installation makes it of this
    label        TEXT,
    conference   TEXT    NOT NULL,
    reservation  TEXT,                    -- its token
    series       INTEGER,
    guest        TEXT,                    -- the address of the guest whom mails tell it
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;
CREATE INDEX guest_links_by_account ON guest_links (account_id, id);
CREATE INDEX guest_links_by_reservation ON guest_links (reservation) WHERE reservation IS NOT NULL;
CREATE INDEX guest_links_by_series ON guest_links (series) WHERE series IS NOT NULL;

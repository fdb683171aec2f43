-- Addresses from which a known caller was permitted of late, so that neighbours who fail cannot have them banned after a restart either.
CREATE TABLE permitted_sources (
    source       TEXT    PRIMARY KEY, -- an IP address; of IPv6 that of a 64-bit network
    permitted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Conferences that people reach by keypad. Numbers are unique within an account.
CREATE TABLE rooms (
    account_id      BIGINT NOT NULL REFERENCES accounts (id),
    number          TEXT   COLLATE "C" NOT NULL, -- digits
    body            TEXT   NOT NULL, -- JSON, without the PINs
    pin_hash        TEXT,            -- null: there is no such PIN
    leader_pin_hash TEXT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (account_id, number)
);

-- Wrong PINs of late, as levels that drain with time, and who was right.
CREATE TABLE pin_tries (
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    room       TEXT   COLLATE "C" NOT NULL, -- its number; empty: of all rooms
    kind       TEXT   COLLATE "C" NOT NULL, -- caller, source, room, alarm
    who        BYTEA  NOT NULL, -- hash of what the caller or the source is told apart by; empty: every caller
    level      BIGINT NOT NULL, -- thousandths of wrong PINs, at that time
    at         BIGINT NOT NULL,
    right_at   BIGINT,          -- when a caller's PIN was last right
    PRIMARY KEY (account_id, room, kind, who)
);
CREATE INDEX pin_tries_by_age ON pin_tries (at);

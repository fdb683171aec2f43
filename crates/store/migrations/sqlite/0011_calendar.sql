-- A number that grows with every change of the calendar of seats. Who keeps the calendar in memory compares it inside the
-- transaction that sells, and reads the calendar again where somebody else has changed it.
CREATE TABLE calendar (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
) STRICT;
INSERT INTO calendar (one, version) VALUES (1, 0);

CREATE TRIGGER calendar_after_insert AFTER INSERT ON reservations BEGIN
    UPDATE calendar SET version = version + 1;
END;
CREATE TRIGGER calendar_after_delete AFTER DELETE ON reservations BEGIN
    UPDATE calendar SET version = version + 1;
END;
CREATE TRIGGER calendar_after_update AFTER UPDATE OF max_participants, starts_at, duration_minutes ON reservations BEGIN
    UPDATE calendar SET version = version + 1;
END;

-- Names that are telephone numbers, without separators and parameters, with the `+` where there is one: by it all spellings
-- of one number are found (RFC 3966, section 5.1.1). What is written from now on is null where the name is no number.
DROP INDEX inbound_services_number;
ALTER TABLE inbound_services ADD COLUMN number TEXT;
UPDATE inbound_services SET number =
    replace(replace(replace(replace(substr(name, 1, instr(name || ';', ';') - 1), '-', ''), '.', ''), '(', ''), ')', '');
CREATE INDEX inbound_services_by_number ON inbound_services (number);

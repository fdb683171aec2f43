-- What people call a reservation; it has no other effect.
ALTER TABLE reservations ADD COLUMN title TEXT;

-- One name may have several that do not overlap: what is asked is which of them have a part of a time.
DROP INDEX reservations_by_name;
CREATE INDEX reservations_by_name ON reservations (account_id, name, ends_at, starts_at);

-- Who sells for a time reads what is sold for that time. It ends at most the longest duration behind it, and all that is read of
-- it is in the index.
DROP INDEX reservations_by_end;
CREATE INDEX reservations_by_end ON reservations (ends_at, starts_at, max_participants);
CREATE INDEX reservations_by_duration ON reservations (duration_minutes);

-- What it takes to tell the telephone of an open call that it is over, after a crash.
ALTER TABLE calls ADD COLUMN dialog TEXT;

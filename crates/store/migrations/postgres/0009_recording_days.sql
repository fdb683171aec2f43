-- How long the recordings of an account are kept, in days; 0: for ever; NULL: as is configured.
ALTER TABLE accounts ADD COLUMN recording_days BIGINT;

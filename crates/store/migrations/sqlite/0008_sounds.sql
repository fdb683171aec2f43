-- How voices are made to sound: 0 or 1, null where one level up decides (the account, the configuration).
ALTER TABLE accounts ADD COLUMN automatic_gain INTEGER CHECK (automatic_gain IN (0, 1));
ALTER TABLE accounts ADD COLUMN noise_suppression INTEGER CHECK (noise_suppression IN (0, 1));
ALTER TABLE reservations ADD COLUMN automatic_gain INTEGER CHECK (automatic_gain IN (0, 1));
ALTER TABLE reservations ADD COLUMN noise_suppression INTEGER CHECK (noise_suppression IN (0, 1));

-- When an access key of browsers was last changed, as it is known of all else that is stored.
ALTER TABLE webrtc_keys ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
UPDATE webrtc_keys SET updated_at = coalesce(revoked_at, created_at);

-- Usage of a time is read by when calls, conferences and stays began. What has begun earlier and still counts is at most as far back as the
-- longest one lasted.
CREATE INDEX calls_by_answer ON calls (account_id, answered_at, id);
CREATE INDEX calls_by_length ON calls (account_id, (ended_at - answered_at));
CREATE INDEX history_by_start ON history (account_id, started_at, id);
CREATE INDEX history_by_length ON history (account_id, (ended_at - started_at));
CREATE INDEX history_participants_by_entry ON history_participants (entered_at, participant, history_id);
CREATE INDEX history_participants_by_length ON history_participants ((left_at - entered_at));
CREATE INDEX history_participants_in ON history_participants (entered_at) WHERE left_at IS NULL;

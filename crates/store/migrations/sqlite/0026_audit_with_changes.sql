-- An entry of the audit log is written with the change that it tells of, and completed when the request is answered. A status of 0: not
-- answered yet, or never.
UPDATE audit SET request_id = NULL
    WHERE id NOT IN (SELECT min(id) FROM audit WHERE request_id IS NOT NULL GROUP BY request_id);
CREATE UNIQUE INDEX audit_by_request ON audit (request_id);

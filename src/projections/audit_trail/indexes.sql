-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS audit_trail_aggregate ON audit_trail (aggregate_id, position);
CREATE INDEX IF NOT EXISTS audit_trail_account ON audit_trail (account_id, position) WHERE account_id <> aggregate_id;

-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS account_history_account ON account_history (account_id, recorded_at, position);

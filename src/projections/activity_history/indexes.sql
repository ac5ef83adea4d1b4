-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS activity_history_account ON activity_history (account_id, effective_on, position);
CREATE INDEX IF NOT EXISTS activity_history_contact ON activity_history (account_id, effective_on) WHERE direction = 'outbound';

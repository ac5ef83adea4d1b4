-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS messages_account ON messages (account_id, position);
CREATE INDEX IF NOT EXISTS messages_state   ON messages (state, position);
CREATE INDEX IF NOT EXISTS messages_position ON messages (position);

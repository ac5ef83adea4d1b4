-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS received_messages_account ON received_messages (account_id, position);
CREATE INDEX IF NOT EXISTS received_messages_shared  ON received_messages USING gin (shared_with);
CREATE INDEX IF NOT EXISTS received_messages_to_read ON received_messages (received_at) WHERE state = 'to-read';
CREATE INDEX IF NOT EXISTS message_receipts_message  ON message_receipts (message_id);
CREATE INDEX IF NOT EXISTS message_receipts_account  ON message_receipts (account_id);
CREATE INDEX IF NOT EXISTS unmatched_messages_state  ON unmatched_messages (received_at) WHERE state = 'unmatched';

-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS promises_account ON promises (account_id);
CREATE INDEX IF NOT EXISTS promises_due ON promises (due_on);

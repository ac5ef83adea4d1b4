-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS fees_account ON fees (account_id);
CREATE INDEX IF NOT EXISTS fee_lines_source ON fee_lines (source_item_id);

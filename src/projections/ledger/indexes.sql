-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS ledger_accounts_number ON ledger_accounts (number);
CREATE INDEX IF NOT EXISTS ledger_accounts_currency ON ledger_accounts (office_id, currency);
CREATE INDEX IF NOT EXISTS ledger_items_number ON ledger_items (lower(number));
CREATE INDEX IF NOT EXISTS ledger_items_account ON ledger_items (account_id);
CREATE INDEX IF NOT EXISTS ledger_entries_account ON ledger_entries (account_id, effective_on);

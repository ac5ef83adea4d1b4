-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS collections_report_office  ON collections_report (office_id, account_id);
CREATE INDEX IF NOT EXISTS collections_report_balance ON collections_report (balance, account_id);
CREATE INDEX IF NOT EXISTS collections_report_number  ON collections_report (number);
CREATE INDEX IF NOT EXISTS open_items_subscription     ON open_items (subscription, account_id) WHERE subscription IS NOT NULL;

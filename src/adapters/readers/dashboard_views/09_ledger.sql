-- over: ledger_entries, ledger_accounts, ledger_offices
CREATE OR REPLACE VIEW dashboard.ledger AS
SELECT e.event_id,
       e.ordinal,
       e.account_id,
       o.code                                                 AS office,
       a.number                                               AS account_number,
       e.item_id,
       e.funds_id,
       e.kind,
       e.effective_on,
       e.recorded_at,
       e.currency,
       dashboard.major_units(e.item_minor, e.currency)        AS item_change,
       dashboard.major_units(e.unapplied_minor, e.currency)   AS unapplied_change,
       dashboard.major_units(e.sale_minor, e.currency)        AS sale_change
FROM read_model.ledger_entries e
JOIN read_model.ledger_accounts a USING (account_id)
LEFT JOIN read_model.ledger_offices o USING (office_id);

COMMENT ON VIEW   dashboard.ledger                  IS 'Every movement of an open amount or of unapplied funds. What was owed on a day is the sum of what is effective up to it.';
COMMENT ON COLUMN dashboard.ledger.event_id         IS 'Stable id of the event that the entry is from.';
COMMENT ON COLUMN dashboard.ledger.ordinal          IS 'Place among the event''s entries; with event_id the entry''s id.';
COMMENT ON COLUMN dashboard.ledger.account_id       IS 'The account.';
COMMENT ON COLUMN dashboard.ledger.office           IS 'Short code of the office that works it.';
COMMENT ON COLUMN dashboard.ledger.account_number   IS 'Number of the account.';
COMMENT ON COLUMN dashboard.ledger.item_id          IS 'The invoice that changed.';
COMMENT ON COLUMN dashboard.ledger.funds_id         IS 'The payment or credit that moved.';
COMMENT ON COLUMN dashboard.ledger.kind             IS 'invoice, correction, payment, credit, allocation, release, reversal, error or withdrawal.';
COMMENT ON COLUMN dashboard.ledger.effective_on     IS 'When it is true.';
COMMENT ON COLUMN dashboard.ledger.recorded_at      IS 'When it was learned.';
COMMENT ON COLUMN dashboard.ledger.currency         IS 'ISO 4217 code of the amounts.';
COMMENT ON COLUMN dashboard.ledger.item_change      IS 'Signed change of the open amount, in major units.';
COMMENT ON COLUMN dashboard.ledger.unapplied_change IS 'Signed change of unapplied funds, in major units.';
COMMENT ON COLUMN dashboard.ledger.sale_change      IS 'Signed change of credit sales, in major units.';

-- over: open_items, collections_report, offices, clock
CREATE OR REPLACE VIEW dashboard.open_items AS
SELECT i.item_id,
       i.account_id,
       d.office,
       r.number                                                AS account_number,
       i.number                                                AS item_number,
       i.kind,
       i.issued_on,
       i.due_on,
       greatest(0, d.business_date - i.due_on)                 AS days_past_due,
       i.bucket,
       r.currency,
       dashboard.major_units(i.amount, r.currency)             AS amount,
       dashboard.major_units(i.open, r.currency)               AS open_amount,
       i.dispute_id IS NOT NULL                                AS disputed,
       i.service_type,
       i.subscription,
       dashboard.major_units(CASE WHEN i.dispute_id IS NULL THEN 0 ELSE least(i.open, i.disputed_part) END, r.currency)
                                                               AS disputed_amount
FROM read_model.open_items i
JOIN read_model.collections_report r USING (account_id)
LEFT JOIN dashboard.business_dates d USING (office_id);

COMMENT ON VIEW   dashboard.open_items                IS 'Every invoice that has an open amount now.';
COMMENT ON COLUMN dashboard.open_items.item_id        IS 'The item''s stable id.';
COMMENT ON COLUMN dashboard.open_items.account_id     IS 'The account that owes it.';
COMMENT ON COLUMN dashboard.open_items.office         IS 'Short code of the office that works it.';
COMMENT ON COLUMN dashboard.open_items.account_number IS 'Number of the account.';
COMMENT ON COLUMN dashboard.open_items.item_number    IS 'Number printed on the invoice.';
COMMENT ON COLUMN dashboard.open_items.kind           IS 'invoice or fee.';
COMMENT ON COLUMN dashboard.open_items.issued_on      IS 'Invoice date.';
COMMENT ON COLUMN dashboard.open_items.due_on         IS 'Due date.';
COMMENT ON COLUMN dashboard.open_items.days_past_due  IS 'Days from the due date to the business date; 0 where it is not past due.';
COMMENT ON COLUMN dashboard.open_items.bucket         IS 'Aging bucket.';
COMMENT ON COLUMN dashboard.open_items.currency       IS 'ISO 4217 code of the amounts.';
COMMENT ON COLUMN dashboard.open_items.amount         IS 'What was invoiced, in major units.';
COMMENT ON COLUMN dashboard.open_items.open_amount    IS 'What of it is open, in major units.';
COMMENT ON COLUMN dashboard.open_items.disputed       IS 'Whether the customer disputes it, or a part of it.';
COMMENT ON COLUMN dashboard.open_items.service_type   IS 'What was billed, as the office classifies it.';
COMMENT ON COLUMN dashboard.open_items.subscription   IS 'The subscription it is for.';
COMMENT ON COLUMN dashboard.open_items.disputed_amount IS 'How much of what is open is disputed, in major units.';

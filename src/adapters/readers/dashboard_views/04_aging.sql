-- over: open_items, collections_report, offices, clock
CREATE OR REPLACE VIEW dashboard.aging AS
SELECT d.office,
       r.currency,
       i.bucket,
       dashboard.major_units(sum(i.open)::bigint, r.currency)  AS amount,
       count(*)                                                AS items,
       count(DISTINCT i.account_id)                            AS accounts,
       min(i.due_on)                                           AS oldest_due_on
FROM read_model.open_items i
JOIN read_model.collections_report r USING (account_id)
LEFT JOIN dashboard.business_dates d USING (office_id)
GROUP BY d.office, r.currency, i.bucket;

COMMENT ON VIEW   dashboard.aging               IS 'Open amounts by office, currency and aging bucket. Buckets that are empty have no row.';
COMMENT ON COLUMN dashboard.aging.office        IS 'Short code of the office.';
COMMENT ON COLUMN dashboard.aging.currency      IS 'ISO 4217 code of the amount.';
COMMENT ON COLUMN dashboard.aging.bucket        IS 'Aging bucket.';
COMMENT ON COLUMN dashboard.aging.amount        IS 'Sum of open amounts, in major units.';
COMMENT ON COLUMN dashboard.aging.items         IS 'How many items are in the bucket.';
COMMENT ON COLUMN dashboard.aging.accounts      IS 'How many accounts have items in the bucket.';
COMMENT ON COLUMN dashboard.aging.oldest_due_on IS 'Due date of the oldest of them.';

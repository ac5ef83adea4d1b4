-- over: promises, collections_report, offices, clock
CREATE OR REPLACE VIEW dashboard.promises AS
SELECT p.promise_id,
       p.account_id,
       d.office,
       r.number                                                                        AS account_number,
       p.status,
       p.made_on,
       p.due_on,
       p.status = 'open' AND p.due_on < d.business_date                                AS is_late,
       p.currency,
       dashboard.major_units(p.promised_minor, p.currency)                             AS promised,
       dashboard.major_units(p.received_minor, p.currency)                             AS received,
       jsonb_array_length(p.instalments)                                               AS instalments,
       p.grace_days,
       p.level                                                                         AS broken_before,
       p.assignee,
       p.judged_on
FROM read_model.promises p
LEFT JOIN read_model.collections_report r USING (account_id)
LEFT JOIN dashboard.business_dates d USING (office_id);

COMMENT ON VIEW   dashboard.promises                IS 'Every promise to pay, as it stands now.';
COMMENT ON COLUMN dashboard.promises.promise_id     IS 'The promise''s stable id.';
COMMENT ON COLUMN dashboard.promises.account_id     IS 'The account that promised.';
COMMENT ON COLUMN dashboard.promises.office         IS 'Short code of the office that works it.';
COMMENT ON COLUMN dashboard.promises.account_number IS 'Number of the account.';
COMMENT ON COLUMN dashboard.promises.status         IS 'open, kept, partially-kept, broken or withdrawn.';
COMMENT ON COLUMN dashboard.promises.made_on        IS 'Day on which it was made.';
COMMENT ON COLUMN dashboard.promises.due_on         IS 'Day of the last instalment.';
COMMENT ON COLUMN dashboard.promises.is_late        IS 'Open, and its last day has passed: in its days of grace.';
COMMENT ON COLUMN dashboard.promises.currency       IS 'ISO 4217 code of the amounts.';
COMMENT ON COLUMN dashboard.promises.promised       IS 'Promised amount in major units.';
COMMENT ON COLUMN dashboard.promises.received       IS 'What came in towards it, in major units.';
COMMENT ON COLUMN dashboard.promises.instalments    IS 'In how many parts.';
COMMENT ON COLUMN dashboard.promises.grace_days     IS 'Days it may be late before it is judged.';
COMMENT ON COLUMN dashboard.promises.broken_before  IS 'How many promises the account had broken before.';
COMMENT ON COLUMN dashboard.promises.assignee       IS 'Who follows it up.';
COMMENT ON COLUMN dashboard.promises.judged_on      IS 'Day on which it was settled.';

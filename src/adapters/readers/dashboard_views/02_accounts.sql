-- over: collections_report, campaigns, offices, clock, people
-- Its columns and what they mean are in projections/collections_report/columns.py.
CREATE OR REPLACE VIEW dashboard.accounts AS
SELECT {columns}
FROM read_model.collections_report r
LEFT JOIN dashboard.business_dates d USING (office_id)
LEFT JOIN personal.people p USING (account_id);

COMMENT ON VIEW dashboard.accounts IS 'The collections report: one row per account, with what it owes now, where it stands and why.';
{comments}

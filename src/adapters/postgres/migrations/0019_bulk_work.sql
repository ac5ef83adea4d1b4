-- Work may be about the accounts of a bulk action; its rows are in the read tables.

ALTER TABLE arrears.work ADD COLUMN bulk_id uuid;

COMMENT ON COLUMN arrears.work.bulk_id IS 'The bulk action whose rows it is about; NULL: every account of the office.';

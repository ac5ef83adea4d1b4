-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS bulk_rows_place ON bulk_rows (bulk_id, place);

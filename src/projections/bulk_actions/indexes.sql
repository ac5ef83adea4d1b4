-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS bulk_rows_place ON bulk_rows (bulk_id, place);
CREATE INDEX IF NOT EXISTS bulk_schedule_runs_schedule ON bulk_schedule_runs (schedule_id, fell_due_at);
CREATE INDEX IF NOT EXISTS bulk_actions_waiting ON bulk_actions (office_id) WHERE schedule_id IS NOT NULL AND confirmed_at IS NULL AND cancelled_at IS NULL;

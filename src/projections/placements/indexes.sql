-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS placements_account ON placements (account_id);
CREATE INDEX IF NOT EXISTS placements_file    ON placements (file_id, account_id);
CREATE INDEX IF NOT EXISTS placements_agency  ON placements (agency, account_id) WHERE ended_on IS NULL;
CREATE INDEX IF NOT EXISTS placements_ended   ON placements (agency, ended_position) WHERE ended_on IS NOT NULL;
CREATE INDEX IF NOT EXISTS agency_payments_of ON agency_payments (agency, paid_on);
CREATE INDEX IF NOT EXISTS placement_notices_account ON placement_notices (account_id, position);

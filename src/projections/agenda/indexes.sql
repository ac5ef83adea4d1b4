-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS agenda_owner ON agenda (owner_id);

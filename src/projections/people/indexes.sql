-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS people_terms ON people USING gin (terms) WITH (fastupdate = off);

ANALYZE people;

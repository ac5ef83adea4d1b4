-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS people_terms ON people USING gin (terms) WITH (fastupdate = off);

-- The report in the order of names needs nothing else of a person, and a row is eight times as wide.
CREATE INDEX IF NOT EXISTS people_names ON people (account_id) INCLUDE (customer_name);

ANALYZE people;

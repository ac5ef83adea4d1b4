-- What was asked under an Idempotency-Key, so that the same key with another content is noticed.

CREATE TABLE arrears.http_requests (
    command_id  uuid        PRIMARY KEY,
    content     bytea       NOT NULL CHECK (octet_length(content) = 32),
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);

COMMENT ON TABLE  arrears.http_requests            IS 'Commands that came with an Idempotency-Key.';
COMMENT ON COLUMN arrears.http_requests.command_id IS 'Derived from the actor, the route and the key.';
COMMENT ON COLUMN arrears.http_requests.content    IS 'SHA-256 of the key and what was asked.';

GRANT SELECT, INSERT ON arrears.http_requests TO arrears_app;

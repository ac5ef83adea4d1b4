-- What aggregates are found by besides their ids: an account by its customer's number. Written with the events that say
-- so, and derived from them alone: `arrears log verify` compares, and `arrears log find-again` makes it anew.

CREATE TABLE arrears.holders (
    kind         text    NOT NULL,
    key          uuid    NOT NULL,
    ordinal      integer NOT NULL CHECK (ordinal > 0),
    aggregate_id uuid    NOT NULL,
    PRIMARY KEY (kind, key, ordinal)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);

COMMENT ON TABLE  arrears.holders         IS 'Which aggregates ever came to hold a key. Of two that come to hold one at the same time, one is decided again.';
COMMENT ON COLUMN arrears.holders.kind    IS 'What the key is, and of which aggregates: account.customer.';
COMMENT ON COLUMN arrears.holders.key     IS 'A hash of what it is made of; of a customer, the office''s id and the number.';
COMMENT ON COLUMN arrears.holders.ordinal IS 'In the order in which they came to hold it, from 1.';

GRANT SELECT, INSERT ON arrears.holders TO arrears_app;

-- Every account that is open is the only one of its customer so far, who has its number. Numbers with a NUL, which a
-- text of PostgreSQL cannot have, are left to `find-again`.
INSERT INTO arrears.holders (kind, key, ordinal, aggregate_id)
SELECT 'account.customer', encode(substr(sha256(convert_to(office_id || E'\x1f' || number, 'UTF8')), 1, 16), 'hex')::uuid,
       row_number() OVER (PARTITION BY office_id, number ORDER BY seq), aggregate_id
FROM (SELECT seq, aggregate_id, said ->> 'office_id' AS office_id, said ->> 'number' AS number
      FROM (SELECT seq, aggregate_id, convert_from(state, 'UTF8')::json AS said
            FROM arrears.events
            WHERE name = 'account.opened' AND position('\\u0000'::bytea IN state) = 0) AS opened) AS accounts;

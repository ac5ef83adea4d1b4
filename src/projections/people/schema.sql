-- Who the customers are. Unlogged: in no write-ahead log, replica or base backup; filled again from the log.

CREATE UNLOGGED TABLE people (
    account_id    uuid      PRIMARY KEY,
    number        text      NOT NULL,
    customer_name text      NOT NULL,
    emails        text[]    NOT NULL,
    phones        text[]    NOT NULL,
    searched      text      NOT NULL,
    terms         integer[] NOT NULL,
    last_position bigint    NOT NULL
) WITH (fillfactor = 80);

-- Statistics are samples of the values, in a catalog that is logged and copied: of these columns there are none.
ALTER TABLE people
    ALTER COLUMN customer_name SET STATISTICS 0,
    ALTER COLUMN emails        SET STATISTICS 0,
    ALTER COLUMN phones        SET STATISTICS 0,
    ALTER COLUMN searched      SET STATISTICS 0;

COMMENT ON TABLE  people               IS 'One row per account: its customer''s name, and what the customer is found by.';
COMMENT ON COLUMN people.number        IS 'Number of the account in the customer''s own systems.';
COMMENT ON COLUMN people.customer_name IS 'Reads erased once the person was erased.';
COMMENT ON COLUMN people.searched      IS 'Number, name, e-mail addresses and telephone numbers as search compares them, a line each.';
COMMENT ON COLUMN people.terms         IS 'Hashes of the parts of searched that search looks up.';
COMMENT ON COLUMN people.last_position IS 'Place in the log of the last event that changed the row.';

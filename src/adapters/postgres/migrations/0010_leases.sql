-- Roles that one process works at a time (the sealer, the publisher, the clock, whoever reads the whole log alone): who
-- has each of them, and until when. The loop that does the work renews the lease; one that is frozen does not.

CREATE TABLE arrears.leases (
    role       text        PRIMARY KEY,
    number     bigint      NOT NULL CHECK (number > 0),
    lock       bigint      NOT NULL,
    holder     text        NOT NULL,
    pid        integer     NOT NULL,
    taken_at   timestamptz NOT NULL,
    renewed_at timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    -- Makes the number part of a key: who writes under it locks the row FOR KEY SHARE, which keeps the next holder
    -- out until that is committed, and does not keep the holder from renewing.
    UNIQUE (role, number)
) WITH (fillfactor = 50);  -- a small row that is written every few seconds

COMMENT ON TABLE  arrears.leases            IS 'Who works each role of which one is at work at a time. Times are the database''s.';
COMMENT ON COLUMN arrears.leases.number     IS 'Grows by one with each new holder; what is written under an older one is refused.';
COMMENT ON COLUMN arrears.leases.lock       IS 'The advisory lock that the holder''s connection has.';
COMMENT ON COLUMN arrears.leases.holder     IS 'Host and process id, for people.';
COMMENT ON COLUMN arrears.leases.pid        IS 'The holder''s backend: the connection that it writes on.';
COMMENT ON COLUMN arrears.leases.until      IS 'Not renewed by then, whoever stands by may end that connection and take over.';

GRANT SELECT, INSERT, UPDATE ON arrears.leases TO arrears_app, arrears_sealer;
GRANT DELETE                 ON arrears.leases TO arrears_app;  -- of generations that are dropped

-- The log. Writers insert without a position and without a lock; the sealer alone gives positions, contiguous
-- from 1, and chains a hash over them. Nobody may delete.

CREATE SEQUENCE arrears.events_seq AS bigint CACHE 1;  -- uncached: the order of numbers has to follow cause

CREATE TABLE arrears.events (
    seq           bigint      NOT NULL,
    position      bigint,
    aggregate_id  uuid        NOT NULL,
    version       integer     NOT NULL CHECK (version > 0),
    event_id      uuid        NOT NULL,
    account_id    uuid,
    name          text        NOT NULL,
    event_version smallint    NOT NULL,
    effective_on  date        NOT NULL,
    recorded_at   timestamptz NOT NULL,
    state         bytea       NOT NULL,
    meta          bytea       NOT NULL,
    leaf          bytea       NOT NULL,
    PRIMARY KEY (aggregate_id, version)
) WITH (
    -- Sealing rewrites every row once: half of each page waits for that, so the new row stays beside the old.
    fillfactor = 55,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0.1,
    autovacuum_analyze_scale_factor = 0.05
);

CREATE INDEX        events_unsealed ON arrears.events (seq)                  WHERE position IS NULL;
CREATE UNIQUE INDEX events_position ON arrears.events (position)             WHERE position IS NOT NULL;
CREATE INDEX        events_account  ON arrears.events (account_id, position) WHERE position IS NOT NULL
                                                                               AND account_id IS NOT NULL;

COMMENT ON TABLE  arrears.events              IS 'Every fact, append-only. A row without a position is not sealed yet: no reader sees it.';
COMMENT ON COLUMN arrears.events.seq          IS 'Taken at insert; follows cause, has gaps.';
COMMENT ON COLUMN arrears.events.position     IS 'Place in the log, contiguous from 1; given by the sealer.';
COMMENT ON COLUMN arrears.events.effective_on IS 'When the fact is true.';
COMMENT ON COLUMN arrears.events.recorded_at  IS 'When we learned it.';
COMMENT ON COLUMN arrears.events.state        IS 'The event as JSON in UTF-8; personal fields encrypted under the account''s key.';
COMMENT ON COLUMN arrears.events.leaf         IS 'SHA-256 of the row in canonical form, made by the writer; seals are hashes over leaves.';

CREATE TABLE arrears.seals (
    last          bigint      PRIMARY KEY,
    first         bigint      NOT NULL UNIQUE,
    previous_hash bytea       NOT NULL,
    hash          bytea       NOT NULL,
    sealed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (first <= last)
);

COMMENT ON TABLE arrears.seals IS 'One row per sealed batch: hash = SHA-256(previous hash || leaves in order of position).';

CREATE TABLE arrears.commands (
    command_id  uuid        PRIMARY KEY,
    outcome     jsonb       NOT NULL,
    recorded_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);

COMMENT ON TABLE arrears.commands IS 'What came of a command, so that a repeat has the same outcome; natural keys stand here too.';

CREATE TABLE arrears.snapshots (
    aggregate_id  uuid     NOT NULL,
    version       integer  NOT NULL,
    kind          text     NOT NULL,
    state_version smallint NOT NULL,
    account_id    uuid,
    state         bytea    NOT NULL,
    PRIMARY KEY (aggregate_id, version)
);

COMMENT ON TABLE arrears.snapshots IS 'An aggregate''s state at a version, to load it faster; never needed, always derived from events.';

CREATE TABLE arrears.account_keys (
    account_id   uuid PRIMARY KEY,
    wrapped_key  bytea,
    destroyed_at timestamptz,
    CHECK ((wrapped_key IS NULL) = (destroyed_at IS NOT NULL))
);

COMMENT ON TABLE arrears.account_keys IS 'Each account''s data key, wrapped by the master key. A destroyed one erases the person.';

CREATE TABLE arrears.master_key (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    fingerprint bytea   NOT NULL
);

COMMENT ON TABLE arrears.master_key IS 'A check value of the master key: another key is refused before it is used.';

GRANT USAGE                             ON SEQUENCE arrears.events_seq TO arrears_app;
GRANT SELECT, INSERT                    ON arrears.events              TO arrears_app;
GRANT SELECT, INSERT                    ON arrears.commands            TO arrears_app;
GRANT SELECT, INSERT                    ON arrears.snapshots           TO arrears_app;
GRANT SELECT, INSERT                    ON arrears.master_key          TO arrears_app;
GRANT SELECT, INSERT                    ON arrears.account_keys        TO arrears_app;
GRANT UPDATE (wrapped_key, destroyed_at) ON arrears.account_keys       TO arrears_app;
GRANT SELECT                            ON arrears.seals               TO arrears_app;
GRANT SELECT, UPDATE (position)         ON arrears.events              TO arrears_sealer;
GRANT SELECT, INSERT                    ON arrears.seals               TO arrears_sealer;

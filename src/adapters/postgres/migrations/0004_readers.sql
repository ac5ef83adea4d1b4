-- Readers of the log: how far each has read, the generations of the projections, and what could not be handled.

CREATE TABLE read_model.projections (
    name       text        NOT NULL,
    generation integer     NOT NULL CHECK (generation > 0),
    version    integer     NOT NULL,
    reader     text        NOT NULL GENERATED ALWAYS AS (name || '@' || generation::text) STORED UNIQUE,
    schema     text        NOT NULL UNIQUE,
    public     text[]      NOT NULL,
    state      text        NOT NULL CHECK (state IN ('building', 'live', 'retired')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    live_at    timestamptz,
    retired_at timestamptz,
    PRIMARY KEY (name, generation)
);

CREATE UNIQUE INDEX projections_one_live     ON read_model.projections (name) WHERE state = 'live';
CREATE UNIQUE INDEX projections_one_building ON read_model.projections (name) WHERE state = 'building';

COMMENT ON TABLE  read_model.projections            IS 'Generations of the projections. Each keeps its tables in a schema of its own; the views in read_model show the live one.';
COMMENT ON COLUMN read_model.projections.generation IS 'Counts from 1 with every rebuild.';
COMMENT ON COLUMN read_model.projections.version    IS 'Of the projection''s code: another one means other tables.';
COMMENT ON COLUMN read_model.projections.reader     IS 'The name under which its checkpoint and its dead letters are kept.';
COMMENT ON COLUMN read_model.projections.public     IS 'Its tables that are seen as views in read_model.';

CREATE TABLE read_model.checkpoints (
    reader     text        PRIMARY KEY,
    position   bigint      NOT NULL CHECK (position >= 0),
    seal_hash  bytea,
    trouble    text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);  -- a small row that is written with every batch

COMMENT ON TABLE  read_model.checkpoints           IS 'How far each reader has read, stored together with what it wrote.';
COMMENT ON COLUMN read_model.checkpoints.seal_hash IS 'Hash of the last seal at or before the position: another log is noticed.';
COMMENT ON COLUMN read_model.checkpoints.trouble   IS 'Why the reader stands still, while it does.';

CREATE TABLE read_model.dead_letters (
    reader      text        NOT NULL,
    position    bigint      NOT NULL,
    sequence_id uuid        NOT NULL,
    account_id  uuid,
    event_id    uuid        NOT NULL,
    event_name  text        NOT NULL,
    error_class text,
    error_text  text,
    attempts    integer     NOT NULL DEFAULT 1,
    state       text        NOT NULL DEFAULT 'parked' CHECK (state IN ('parked', 'handled', 'discarded')),
    parked_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at  timestamptz,
    PRIMARY KEY (reader, position)
);

CREATE INDEX dead_letters_parked ON read_model.dead_letters (reader, sequence_id) WHERE state = 'parked';

COMMENT ON TABLE  read_model.dead_letters             IS 'Events that a reader could not handle, and the later ones of the same account, which wait behind them.';
COMMENT ON COLUMN read_model.dead_letters.sequence_id IS 'The account, or the aggregate of an event that has none.';
COMMENT ON COLUMN read_model.dead_letters.error_class IS 'NULL where the event only waits behind one that failed.';

CREATE TABLE read_model.clock (
    only_one boolean     PRIMARY KEY DEFAULT true CHECK (only_one),
    now      timestamptz NOT NULL
);

COMMENT ON TABLE read_model.clock IS 'The moment of the last tick, which is "today" for what is shown.';

-- Generations are made and dropped by the application, which therefore owns them and the views on them.
GRANT SELECT, INSERT, UPDATE, DELETE ON read_model.projections, read_model.checkpoints,
                                        read_model.dead_letters, read_model.clock TO arrears_app;
GRANT CREATE ON SCHEMA dashboard TO arrears_app;

-- A right to create schemas would be kept with the database and get lost when it is copied or restored.
CREATE FUNCTION read_model.make_generation(schema text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF schema !~ '^read_[a-z_]+_[0-9]+$' THEN
        RAISE EXCEPTION '% is no name of a generation', schema;
    END IF;
    EXECUTE format('CREATE SCHEMA %I AUTHORIZATION arrears_app', schema);
END
$$;

COMMENT ON FUNCTION read_model.make_generation IS 'Creates the schema of a generation, owned by the application.';

REVOKE ALL    ON FUNCTION read_model.make_generation FROM PUBLIC;
GRANT EXECUTE ON FUNCTION read_model.make_generation TO arrears_app;

ALTER DEFAULT PRIVILEGES FOR ROLE arrears_app IN SCHEMA dashboard GRANT SELECT ON TABLES TO arrears_reader;

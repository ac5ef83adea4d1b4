-- Personal data that lists and search need is kept in unlogged tables of schemas of their own: it is in no
-- write-ahead log, so in no replica and no base backup, and `arrears backup` leaves it out. PostgreSQL empties
-- such tables after a crash; whoever reads the log for them fills them again.

CREATE SCHEMA IF NOT EXISTS personal;

COMMENT ON SCHEMA personal IS 'Views on unlogged tables with personal data; never part of a backup, filled again from the log.';

GRANT USAGE, CREATE ON SCHEMA personal TO arrears_app;  -- a rebuild makes tables beside the live ones

CREATE OR REPLACE FUNCTION read_model.make_generation(schema text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF schema !~ '^(read|personal)_[a-z_]+_[0-9]+$' THEN
        RAISE EXCEPTION '% is no name of a generation', schema;
    END IF;
    EXECUTE format('CREATE SCHEMA %I AUTHORIZATION arrears_app', schema);
END
$$;

-- What an earlier release kept of an error may quote the event that it was about. What kind of error it was stays.
UPDATE read_model.dead_letters SET error_text = NULL WHERE error_text IS NOT NULL;
UPDATE read_model.checkpoints  SET trouble    = NULL WHERE trouble    IS NOT NULL;

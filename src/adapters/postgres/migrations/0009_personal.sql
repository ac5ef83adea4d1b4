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

-- What an error said may quote the event that it was about, or the customer whose message could not be sent.

CREATE UNLOGGED TABLE personal.error_texts (
    reader     text   NOT NULL,
    position   bigint NOT NULL,
    error_text text   NOT NULL,
    PRIMARY KEY (reader, position)
);

ALTER TABLE personal.error_texts ALTER COLUMN error_text SET STATISTICS 0;  -- samples of it in a catalog that is logged

COMMENT ON TABLE personal.error_texts IS 'What the errors said that put events aside; lost in a crash, while read_model.dead_letters stays.';

GRANT SELECT, INSERT, UPDATE, DELETE ON personal.error_texts TO arrears_app;

INSERT INTO personal.error_texts (reader, position, error_text)
SELECT reader, position, error_text FROM read_model.dead_letters WHERE error_text IS NOT NULL;

ALTER TABLE read_model.dead_letters DROP COLUMN error_text;

UPDATE read_model.checkpoints SET trouble = split_part(trouble, ':', 1) WHERE trouble IS NOT NULL;

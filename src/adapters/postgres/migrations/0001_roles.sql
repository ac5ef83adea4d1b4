-- Schemas, and the roles that services take. Roles belong to the whole server, so another database may have
-- made them already, or be making them right now.

CREATE SCHEMA IF NOT EXISTS arrears;
CREATE SCHEMA IF NOT EXISTS read_model;
CREATE SCHEMA IF NOT EXISTS dashboard;

COMMENT ON SCHEMA arrears    IS 'The log and what belongs to it: events, seals, command ids, keys.';
COMMENT ON SCHEMA read_model IS 'Tables that projections write; can be thrown away and rebuilt from the log.';
COMMENT ON SCHEMA dashboard  IS 'Stable, commented views for dashboards; part of the public contract.';

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['arrears_app', 'arrears_sealer', 'arrears_reader'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- another database made it in the same moment
        END;
        IF NOT pg_has_role(current_user, wanted, 'SET') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
        END IF;
    END LOOP;
END
$$;

GRANT USAGE         ON SCHEMA arrears            TO arrears_app, arrears_sealer, arrears_reader;
GRANT SELECT        ON TABLE  arrears.migrations TO arrears_app, arrears_sealer, arrears_reader;
GRANT USAGE, CREATE ON SCHEMA read_model         TO arrears_app;  -- a rebuild makes tables beside the live ones
GRANT USAGE         ON SCHEMA dashboard          TO arrears_app, arrears_reader;

-- Views that migrations add to the dashboard are readable without naming each of them.
ALTER DEFAULT PRIVILEGES IN SCHEMA dashboard GRANT SELECT ON TABLES TO arrears_reader, arrears_app;

-- The database and who logs in to it. Run once with psql, as a superuser, before `arrears migrate`:
--
--   arrears_owner     owns the schema: `arrears migrate`, and nothing else
--   arrears_service   every role that runs but one: may add facts, may not change or delete any
--   arrears_sealing   `arrears seal`: may also give positions
--
-- Passwords come from the environment of psql. What each may do is granted by the migrations, to the roles without a
-- login that are made here; dashboards get logins of their own, see docs/dashboards.md.

\set ON_ERROR_STOP on
\getenv owner_password ARREARS_OWNER_PASSWORD
\getenv service_password ARREARS_SERVICE_PASSWORD
\getenv sealing_password ARREARS_SEALING_PASSWORD

SET password_encryption = 'scram-sha-256';
SET log_statement = 'none';  -- a password is in the statement

CREATE ROLE arrears_app    NOLOGIN;
CREATE ROLE arrears_sealer NOLOGIN;
CREATE ROLE arrears_reader NOLOGIN;

CREATE ROLE arrears_owner   LOGIN PASSWORD :'owner_password'   IN ROLE arrears_app, arrears_sealer, arrears_reader;
CREATE ROLE arrears_service LOGIN PASSWORD :'service_password' IN ROLE arrears_app;
CREATE ROLE arrears_sealing LOGIN PASSWORD :'sealing_password' IN ROLE arrears_app, arrears_sealer;

CREATE DATABASE arrears OWNER arrears_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL     ON DATABASE arrears FROM PUBLIC;
GRANT  CONNECT ON DATABASE arrears TO arrears_app, arrears_sealer, arrears_reader;

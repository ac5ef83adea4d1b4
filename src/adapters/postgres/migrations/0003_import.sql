-- What was imported already. A repeat of the same statement changes nothing; a corrected one is a new revision.

CREATE TABLE arrears.import_facts (
    office         text    NOT NULL,
    natural_key    text    NOT NULL,
    account_number text    NOT NULL,
    revision       integer NOT NULL CHECK (revision >= 1),
    digest         bytea   NOT NULL CHECK (octet_length(digest) = 32),
    PRIMARY KEY (office, natural_key)
);

COMMENT ON TABLE  arrears.import_facts IS 'The last imported revision of every fact of the billing files.';
COMMENT ON COLUMN arrears.import_facts.natural_key    IS 'Kind and number, such as invoice:4711.';
COMMENT ON COLUMN arrears.import_facts.account_number IS 'The account that the fact was about; a correction may move it.';
COMMENT ON COLUMN arrears.import_facts.digest         IS 'SHA-256 of the content; equal means nothing to do.';

GRANT SELECT, INSERT, UPDATE, DELETE ON arrears.import_facts TO arrears_app;

-- Staging is in temporary tables: gone with the connection, whatever happens to the process.
DO $$
BEGIN
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO arrears_app', current_database());
END
$$;

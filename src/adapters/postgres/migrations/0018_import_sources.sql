-- Which files said an imported fact last, so that a corrected file, or one that is complete, can take back what it no
-- longer says. NULL: an earlier release imported it, and nobody said it since.

ALTER TABLE arrears.import_facts
    ADD COLUMN source     text,
    ADD COLUMN said_in    text CHECK (said_in IN ('customers', 'invoices', 'payments', 'credits', 'reversals')),
    ADD COLUMN said_on    date,
    ADD COLUMN minor      bigint,
    ADD COLUMN currency   text,
    ADD COLUMN account_id uuid,
    ADD COLUMN withdrawn  boolean NOT NULL DEFAULT false,
    ADD CHECK (num_nulls(source, said_in, account_id) IN (0, 3));

COMMENT ON COLUMN arrears.import_facts.source     IS 'The source of the file that said it last. NULL: an earlier release imported it.';
COMMENT ON COLUMN arrears.import_facts.said_in    IS 'Of which kind that file was.';
COMMENT ON COLUMN arrears.import_facts.said_on    IS 'The day of the fact: of issue, of receipt, of going back.';
COMMENT ON COLUMN arrears.import_facts.minor      IS 'Its amount in minor units of the currency; NULL where it has none.';
COMMENT ON COLUMN arrears.import_facts.account_id IS 'The account that it is recorded on: of a payment, the payer''s.';
COMMENT ON COLUMN arrears.import_facts.withdrawn  IS 'A file took it back: it never was, until one says it again.';

CREATE INDEX import_facts_source  ON arrears.import_facts (office_code, source, said_in) WHERE NOT withdrawn;
CREATE INDEX import_facts_credits ON arrears.import_facts (source)
    WHERE said_in = 'invoices' AND NOT withdrawn AND starts_with(natural_key, 'credit:');

CREATE TABLE arrears.import_complete_files (
    office_code text NOT NULL,
    source      text NOT NULL,
    said_in     text NOT NULL,
    as_of       date NOT NULL,
    taken_back  text,
    PRIMARY KEY (office_code, source, said_in)
);

COMMENT ON TABLE  arrears.import_complete_files IS 'The last complete file of each source and office.';
COMMENT ON COLUMN arrears.import_complete_files.as_of      IS 'The day of that file.';
COMMENT ON COLUMN arrears.import_complete_files.taken_back IS 'The token of the last list that was taken back to its end.';

CREATE TABLE arrears.import_take_backs (
    token       text    NOT NULL,
    place       bigint  NOT NULL,
    office      text    NOT NULL,
    natural_key text    NOT NULL,
    revision    integer NOT NULL,
    minor       bigint,
    as_of       date    NOT NULL,
    PRIMARY KEY (token, place)
);

COMMENT ON TABLE  arrears.import_take_backs IS 'Lists of what complete files no longer say and somebody confirmed; what is done is gone from them.';
COMMENT ON COLUMN arrears.import_take_backs.revision IS 'That was listed; a fact that has another one by now is left.';
COMMENT ON COLUMN arrears.import_take_backs.minor    IS 'What was open of an invoice that is to be settled, or the amount of the fact.';

GRANT SELECT, INSERT, UPDATE, DELETE ON arrears.import_complete_files, arrears.import_take_backs TO arrears_app;

-- What tells imported facts apart. Rows that are there were stored by an earlier release: version 1 of both. They are
-- written anew, with what is missing here, by the next import or erasure.

ALTER TABLE arrears.import_facts
    ADD COLUMN key_version    smallint NOT NULL DEFAULT 1 CHECK (key_version IN (1, 2)),
    ADD COLUMN digest_version smallint NOT NULL DEFAULT 1 CHECK (digest_version IN (1, 2)),
    ADD COLUMN office_code    text COLLATE "C",
    ADD COLUMN folded_key     text COLLATE "C",
    ADD COLUMN folded_account text COLLATE "C",
    ADD COLUMN payment_number bytea,
    ADD COLUMN details        jsonb,
    ADD CHECK (digest_version = 1 OR num_nulls(office_code, folded_key, folded_account) = 0);

COMMENT ON COLUMN arrears.import_facts.natural_key    IS 'Kind and number, such as invoice:4711, as first seen; behind the account and a tab where each account has its own.';
COMMENT ON COLUMN arrears.import_facts.digest         IS 'Of the content; equal means nothing to do. Version 2 is keyed by the import key, over what version 1 is.';
COMMENT ON COLUMN arrears.import_facts.key_version    IS '1: a payment without a number is known by a digest of its content; 2: by account, day and amount.';
COMMENT ON COLUMN arrears.import_facts.digest_version IS '1: plain SHA-256; 2: keyed by the import key.';
COMMENT ON COLUMN arrears.import_facts.office_code    IS 'The office that the file''s name for it stands for.';
COMMENT ON COLUMN arrears.import_facts.folded_key     IS 'What natural keys have in common that differ in case, Unicode form and outer spaces; of payments without a number, in their place among equal ones.';
COMMENT ON COLUMN arrears.import_facts.folded_account IS 'The same of the account''s number.';
COMMENT ON COLUMN arrears.import_facts.payment_number IS 'The number in the log of a payment without one in the file, where an earlier release made it: encrypted, since it holds a plain digest.';
COMMENT ON COLUMN arrears.import_facts.details        IS 'Of a payment without a number: keyed digests of what its files say besides account, day and amount. NULL: not known.';

CREATE INDEX import_facts_folded_key ON arrears.import_facts (office_code, folded_key);
CREATE INDEX import_facts_account    ON arrears.import_facts (office_code, folded_account, account_number);
CREATE INDEX import_facts_plain      ON arrears.import_facts (office, natural_key)           WHERE digest_version = 1;
CREATE INDEX import_facts_by_content ON arrears.import_facts (office_code, folded_account)   WHERE key_version = 1;
CREATE INDEX import_facts_own_number ON arrears.import_facts (office)                        WHERE strpos(natural_key, E'\t') > 0;

CREATE TABLE arrears.import_key (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    wrapped_key bytea   NOT NULL
);

COMMENT ON TABLE arrears.import_key IS 'The key of the digests of imported facts, wrapped by the master key; made by the first import.';

GRANT SELECT, INSERT ON arrears.import_key TO arrears_app;

-- Invoices in instalments: rows of a billing file that have the same number and other due days. By which due day the
-- first of them is known, and which others there are.

ALTER TABLE arrears.import_facts
    ADD COLUMN due_on        date,
    ADD COLUMN instalment_of text;

COMMENT ON COLUMN arrears.import_facts.due_on        IS 'Of an invoice: the due day that the file said last; NULL where an earlier release stored it.';
COMMENT ON COLUMN arrears.import_facts.instalment_of IS 'Of a further instalment: the invoice''s number. The first has the key of an invoice without any.';

CREATE INDEX import_facts_instalments ON arrears.import_facts (office, instalment_of) WHERE instalment_of IS NOT NULL;

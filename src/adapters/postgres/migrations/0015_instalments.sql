-- Invoices in instalments: rows of a billing file that have the same number and other due days. By which due day the
-- first of them is known, and which others there are.

ALTER TABLE arrears.import_facts
    ADD COLUMN due_on        date,
    ADD COLUMN instalment_of text COLLATE "C";

COMMENT ON COLUMN arrears.import_facts.due_on        IS 'Of an invoice: the due day that the file said last; NULL where an earlier release stored it.';
COMMENT ON COLUMN arrears.import_facts.instalment_of IS 'Of a further instalment: the folded key of the invoice, which is that of its first one.';

CREATE INDEX import_facts_instalments ON arrears.import_facts (office_code, instalment_of) WHERE instalment_of IS NOT NULL;

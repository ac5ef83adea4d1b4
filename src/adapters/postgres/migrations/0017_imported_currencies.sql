-- Imported facts about accounts in another currency than their office's: files have the same number for these.

ALTER TABLE arrears.import_facts ADD COLUMN other_currency text COLLATE "C";

COMMENT ON COLUMN arrears.import_facts.other_currency IS 'Of the account, where the office works in another one; NULL: in the office''s.';

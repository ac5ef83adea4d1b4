-- Work over many accounts takes its next chunk while readers are at the last one, not before they have seen the one
-- before that.

ALTER TABLE arrears.work
    ADD COLUMN awaits_account_id uuid,
    ADD COLUMN awaits_version    integer;

UPDATE arrears.work SET awaits_account_id = follows_account_id, awaits_version = follows_version WHERE is_open;

COMMENT ON COLUMN arrears.work.follows_version IS 'With follows_account_id the last event of the last chunk: work does not end before it is seen.';
COMMENT ON COLUMN arrears.work.awaits_version  IS 'With awaits_account_id the last event of the chunk before that: the next one waits until policies have seen it.';

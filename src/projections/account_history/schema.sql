-- What was recorded of each account besides its money: a row each time that a column changed, never changed once written.
-- What was known at a moment is the account's latest row before it; the latest of all is what its next event builds on.

CREATE TABLE account_history (
    position       bigint      NOT NULL,
    account_id     uuid        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    {columns},
    disputed_items uuid[]      NOT NULL,
    disputed_parts jsonb       NOT NULL,
    PRIMARY KEY (account_id, recorded_at, position)
);

COMMENT ON TABLE  account_history                IS 'What was recorded of accounts besides money, a row for each change.';
COMMENT ON COLUMN account_history.position       IS 'Place in the log of the event that changed something; the row''s id.';
COMMENT ON COLUMN account_history.recorded_at    IS 'When we learned it; never earlier than the account''s row before, whatever the clock did.';
COMMENT ON COLUMN account_history.disputed_items IS 'Items under an open dispute, open or settled.';
COMMENT ON COLUMN account_history.disputed_parts IS 'Of those that are disputed in part, by id: how much, in minor units.';
{comments}

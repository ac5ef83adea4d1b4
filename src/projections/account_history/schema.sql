-- What was recorded of each account besides its money: a row each time that a column changed, never changed once written.
-- What was known at a moment is the account's latest row before it.

CREATE TABLE account_history (
    position       bigint      PRIMARY KEY,
    account_id     uuid        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    {columns},
    disputed_items uuid[]      NOT NULL
);

COMMENT ON TABLE  account_history                IS 'What was recorded of accounts besides money, a row for each change.';
COMMENT ON COLUMN account_history.position       IS 'Place in the log of the event that changed something; the row''s id.';
COMMENT ON COLUMN account_history.recorded_at    IS 'When we learned it; never earlier than the account''s row before, whatever the clock did.';
COMMENT ON COLUMN account_history.disputed_items IS 'Items under an open dispute, open or settled.';
{comments}

-- Where each account is now: what the next event is compared with. Read by the projection alone.
CREATE TABLE account_state (
    account_id     uuid        PRIMARY KEY,
    recorded_at    timestamptz NOT NULL,
    {columns},
    disputed_items uuid[]      NOT NULL,
    next_step      text,
    review_at      timestamptz,
    memory         jsonb       NOT NULL,
    last_position  bigint      NOT NULL
) WITH (fillfactor = 70);

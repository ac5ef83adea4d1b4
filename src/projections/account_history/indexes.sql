-- For the report of aging: the accounts that ever had a dispute.

CREATE INDEX IF NOT EXISTS account_history_disputed ON account_history (account_id) WHERE disputed_items <> '{}';

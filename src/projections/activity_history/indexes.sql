-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS activity_history_account ON activity_history (account_id, effective_on, position);
CREATE INDEX IF NOT EXISTS activity_history_contact ON activity_history (account_id, effective_on) WHERE direction = 'outbound';
CREATE INDEX IF NOT EXISTS activity_history_actor ON activity_history (actor, effective_on, position);
CREATE INDEX IF NOT EXISTS activity_history_outcome ON activity_history (disposition, effective_on, position)
    WHERE disposition IS NOT NULL;
CREATE INDEX IF NOT EXISTS activity_history_day ON activity_history (effective_on, position);

-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS activity_history_account ON activity_history (account_id, effective_on, position);
CREATE INDEX IF NOT EXISTS activity_history_contact ON activity_history (account_id, effective_on) WHERE direction = 'outbound';
CREATE INDEX IF NOT EXISTS activity_history_actor ON activity_history (actor);
CREATE INDEX IF NOT EXISTS activity_history_undocumented ON activity_history (occurred_at) WHERE undocumented;
CREATE INDEX IF NOT EXISTS activity_history_documented ON activity_history (ref_id) WHERE kind = 'call';
CREATE INDEX IF NOT EXISTS activity_history_corrects ON activity_history (corrects) WHERE corrects IS NOT NULL;

-- For readers; the projection itself writes without.

CREATE INDEX IF NOT EXISTS worklist_assignee ON worklist (assignee, kind);
CREATE INDEX IF NOT EXISTS worklist_kind ON worklist (kind, since);
CREATE INDEX IF NOT EXISTS closed_days_day ON closed_days (day DESC, agent);

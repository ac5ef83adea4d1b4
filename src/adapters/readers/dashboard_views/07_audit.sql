-- over: audit_trail
CREATE OR REPLACE VIEW dashboard.audit AS
SELECT a.position,
       a.event_id,
       a.recorded_at,
       a.effective_on,
       a.aggregate_kind,
       a.aggregate_id,
       a.account_id,
       a.event_name,
       a.summary,
       a.actor_kind,
       a.actor_id,
       a.actor_version,
       a.reason,
       a.causation_id,
       a.correlation_id
FROM read_model.audit_trail a;

COMMENT ON VIEW   dashboard.audit                IS 'Every fact of the log: who did what, when, why, and by which version of a policy.';
COMMENT ON COLUMN dashboard.audit.position       IS 'Place in the log.';
COMMENT ON COLUMN dashboard.audit.event_id       IS 'The event''s stable id.';
COMMENT ON COLUMN dashboard.audit.recorded_at    IS 'When it was learned.';
COMMENT ON COLUMN dashboard.audit.effective_on   IS 'When it is true.';
COMMENT ON COLUMN dashboard.audit.aggregate_kind IS 'account, promise, campaign or office.';
COMMENT ON COLUMN dashboard.audit.aggregate_id   IS 'Which one.';
COMMENT ON COLUMN dashboard.audit.account_id     IS 'The account it is about, where there is one.';
COMMENT ON COLUMN dashboard.audit.event_name     IS 'Stable name of what happened.';
COMMENT ON COLUMN dashboard.audit.summary        IS 'What happened, in a sentence without personal data.';
COMMENT ON COLUMN dashboard.audit.actor_kind     IS 'person, service or policy.';
COMMENT ON COLUMN dashboard.audit.actor_id       IS 'Which one.';
COMMENT ON COLUMN dashboard.audit.actor_version  IS 'Version of the policy.';
COMMENT ON COLUMN dashboard.audit.reason         IS 'Why: what a rule said, or a person about something else than an account. What a person gave about an account is personal, and null here.';
COMMENT ON COLUMN dashboard.audit.causation_id   IS 'The event or message that led to it.';
COMMENT ON COLUMN dashboard.audit.correlation_id IS 'Joins everything that one request set going.';

-- Every event of every aggregate: what happened, who did it under which policy version, why, and what led to it.

CREATE TABLE audit_trail (
    position          bigint      PRIMARY KEY,
    event_id          uuid        NOT NULL,
    recorded_at       timestamptz NOT NULL,
    effective_on      date        NOT NULL,
    aggregate_kind    text        NOT NULL,
    aggregate_id      uuid        NOT NULL,
    aggregate_version integer     NOT NULL,
    account_id        uuid,
    event_name        text        NOT NULL,
    event_version     smallint    NOT NULL,
    summary           text        NOT NULL,
    actor_kind        text        NOT NULL,
    actor_id          text        NOT NULL,
    actor_version     text,
    reason            text,
    gives_reason      boolean     NOT NULL,
    command_id        uuid        NOT NULL,
    causation_id      uuid,
    correlation_id    uuid        NOT NULL,
    data              jsonb       NOT NULL
);

COMMENT ON TABLE  audit_trail                   IS 'Every fact of the log, for people who ask who did what, when and why.';
COMMENT ON COLUMN audit_trail.position          IS 'Place in the log; the row''s id.';
COMMENT ON COLUMN audit_trail.recorded_at       IS 'When we learned it.';
COMMENT ON COLUMN audit_trail.effective_on      IS 'When it is true.';
COMMENT ON COLUMN audit_trail.aggregate_kind    IS 'account, promise, campaign or office.';
COMMENT ON COLUMN audit_trail.account_id        IS 'The account that the event is about, where there is one.';
COMMENT ON COLUMN audit_trail.summary           IS 'What happened, in a sentence without personal data.';
COMMENT ON COLUMN audit_trail.actor_kind        IS 'person, service or policy.';
COMMENT ON COLUMN audit_trail.actor_version     IS 'The version of the policy.';
COMMENT ON COLUMN audit_trail.reason            IS 'Why: what a rule said, or a person about something else than an account.';
COMMENT ON COLUMN audit_trail.gives_reason      IS 'Whether a person gave a reason about an account. That is personal, and stays encrypted in the log.';
COMMENT ON COLUMN audit_trail.causation_id      IS 'The event or message that led to it.';
COMMENT ON COLUMN audit_trail.correlation_id    IS 'Joins everything that one request set going.';
COMMENT ON COLUMN audit_trail.data              IS 'What the event says, without personal fields.';

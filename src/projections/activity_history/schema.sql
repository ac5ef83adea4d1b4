-- One row per thing done about an account: contacts, messages and their fate, promises, money, disputes, flags.

CREATE TABLE activity_history (
    position     bigint      PRIMARY KEY,
    event_id     uuid        NOT NULL,
    account_id   uuid        NOT NULL,
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    effective_on date        NOT NULL,
    kind         text        NOT NULL,
    channel      text,
    direction    text,
    disposition  text,
    summary      text        NOT NULL,
    has_notes    boolean     NOT NULL,
    assignee     text,
    follow_up_on date,
    actor        text        NOT NULL,
    campaign_id  uuid,
    plan_version integer,
    ref_id       uuid,
    corrects     uuid,
    undocumented boolean     NOT NULL
);

CREATE INDEX activity_history_queued ON activity_history (ref_id)
    WHERE kind IN ('message-queued', 'message-written');

COMMENT ON TABLE  activity_history              IS 'Everything done about an account, one row each; never changed once written.';
COMMENT ON COLUMN activity_history.position     IS 'Place in the log of the event; the row''s id.';
COMMENT ON COLUMN activity_history.occurred_at  IS 'When it happened; when we recorded it, where only the day is known.';
COMMENT ON COLUMN activity_history.effective_on IS 'The day since which it is true.';
COMMENT ON COLUMN activity_history.kind         IS 'call, sms, email, letter, note, task, portal-visit; message-sent, promise-made, payment …';
COMMENT ON COLUMN activity_history.channel      IS 'sms, voice, email, letter or portal.';
COMMENT ON COLUMN activity_history.direction    IS 'inbound, outbound or internal.';
COMMENT ON COLUMN activity_history.disposition  IS 'How a contact ended.';
COMMENT ON COLUMN activity_history.summary      IS 'What happened, in a sentence without personal data.';
COMMENT ON COLUMN activity_history.has_notes    IS 'Whether something was said or written. What, is personal, and stays encrypted in the log.';
COMMENT ON COLUMN activity_history.actor        IS 'person:<id>, service:<name> or policy:<id>@<version>.';
COMMENT ON COLUMN activity_history.plan_version IS 'The version of the campaign that the message is by.';
COMMENT ON COLUMN activity_history.corrects     IS 'The activity that was recorded wrongly, and of which this one says what it was.';
COMMENT ON COLUMN activity_history.undocumented IS 'Whether it is a contact of which nobody had said how it ended. Whether somebody did later, later rows say.';
COMMENT ON COLUMN activity_history.ref_id       IS 'What it is about: a message, promise, payment, credit, dispute, hold or activity.';

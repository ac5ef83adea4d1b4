-- One row per message that was queued: of which campaign's step or whose hand, and what became of it.

CREATE TABLE messages (
    message_id       uuid        PRIMARY KEY,
    account_id       uuid        NOT NULL,
    position         bigint      NOT NULL,
    state            text        NOT NULL,
    channel          text        NOT NULL,
    point_id         text        NOT NULL,
    queued_at        timestamptz NOT NULL,
    queued_by        text        NOT NULL,
    changed_at       timestamptz NOT NULL,
    campaign_id      uuid,
    plan_version     integer,
    step_id          text,
    step_title       text,
    template_id      uuid,
    template_version integer,
    amount_minor     bigint      NOT NULL,
    currency         text        NOT NULL,
    code             text,
    detail           text,
    last_position    bigint      NOT NULL
) WITH (fillfactor = 80);

COMMENT ON TABLE  messages               IS 'Every message that was queued, as it stands now.';
COMMENT ON COLUMN messages.position      IS 'Place in the log of the event that queued it.';
COMMENT ON COLUMN messages.state         IS 'queued, dispatched, sent, failed, uncertain or withdrawn.';
COMMENT ON COLUMN messages.queued_by     IS 'person:<id>, service:<name> or policy:<id>@<version>.';
COMMENT ON COLUMN messages.step_id       IS 'Of the campaign''s plan; null where it was written by hand.';
COMMENT ON COLUMN messages.template_id   IS 'Of the office''s template that the text was taken from.';
COMMENT ON COLUMN messages.amount_minor  IS 'What it is about, in minor units, when it was queued.';
COMMENT ON COLUMN messages.code          IS 'Why it failed or was withdrawn.';
COMMENT ON COLUMN messages.detail        IS 'Why it was withdrawn, in a sentence. Why it failed is personal, and stays encrypted in the log.';
COMMENT ON COLUMN messages.last_position IS 'Place in the log of the last event that changed the row.';

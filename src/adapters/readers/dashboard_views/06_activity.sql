-- over: activity_history, collections_report, offices, clock
CREATE OR REPLACE VIEW dashboard.activity AS
SELECT a.event_id,
       a.account_id,
       d.office,
       r.number        AS account_number,
       a.occurred_at,
       a.effective_on,
       a.recorded_at,
       a.kind,
       a.channel,
       a.direction,
       a.disposition,
       a.summary,
       a.assignee,
       a.follow_up_on,
       a.actor
FROM read_model.activity_history a
LEFT JOIN read_model.collections_report r USING (account_id)
LEFT JOIN dashboard.business_dates d USING (office_id);

COMMENT ON VIEW   dashboard.activity                IS 'Everything done about accounts: contacts, messages, promises, money, disputes, flags. Without notes, which are personal.';
COMMENT ON COLUMN dashboard.activity.event_id       IS 'The event''s stable id.';
COMMENT ON COLUMN dashboard.activity.account_id     IS 'The account it is about.';
COMMENT ON COLUMN dashboard.activity.office         IS 'Short code of the office that works it.';
COMMENT ON COLUMN dashboard.activity.account_number IS 'Number of the account.';
COMMENT ON COLUMN dashboard.activity.occurred_at    IS 'When it happened; when it was recorded, where only the day is known.';
COMMENT ON COLUMN dashboard.activity.effective_on   IS 'Day since which it is true.';
COMMENT ON COLUMN dashboard.activity.recorded_at    IS 'When it was learned.';
COMMENT ON COLUMN dashboard.activity.kind           IS 'call, sms, email, letter, note, message-sent, promise-made, payment and others.';
COMMENT ON COLUMN dashboard.activity.channel        IS 'sms, voice, email, letter or portal.';
COMMENT ON COLUMN dashboard.activity.direction      IS 'inbound, outbound or internal.';
COMMENT ON COLUMN dashboard.activity.disposition    IS 'How a contact ended.';
COMMENT ON COLUMN dashboard.activity.summary        IS 'What happened, in a sentence without personal data.';
COMMENT ON COLUMN dashboard.activity.assignee       IS 'Who follows it up.';
COMMENT ON COLUMN dashboard.activity.follow_up_on   IS 'Day to come back to it.';
COMMENT ON COLUMN dashboard.activity.actor          IS 'person:<id>, service:<name> or policy:<id>@<version>.';

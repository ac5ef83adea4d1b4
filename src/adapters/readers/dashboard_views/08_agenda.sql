-- over: agenda, offices, clock
CREATE OR REPLACE VIEW dashboard.agenda AS
SELECT a.kind,
       a.ref,
       a.owner_id,
       d.office,
       coalesce(a.due_at, a.due_on::timestamp AT TIME ZONE d.time_zone)                AS due_at,
       coalesce(a.due_on, (a.due_at AT TIME ZONE d.time_zone)::date)                   AS due_on,
       a.command_name
FROM read_model.agenda a
LEFT JOIN dashboard.business_dates d USING (office_id);

COMMENT ON VIEW   dashboard.agenda              IS 'Every future thing that is planned: aging, steps, reviews, promises, follow-ups, ends of holds and pauses.';
COMMENT ON COLUMN dashboard.agenda.kind         IS 'aging, step, review, fact, promise, hold, follow-up or pause-end.';
COMMENT ON COLUMN dashboard.agenda.ref          IS 'What it is about: an item, promise, fact, hold, activity, account, campaign or office.';
COMMENT ON COLUMN dashboard.agenda.owner_id     IS 'The account, or the campaign or office whose pause ends.';
COMMENT ON COLUMN dashboard.agenda.office       IS 'Short code of the office whose days count.';
COMMENT ON COLUMN dashboard.agenda.due_at       IS 'The moment it is due; for a day its beginning there.';
COMMENT ON COLUMN dashboard.agenda.due_on       IS 'The local day it is due.';
COMMENT ON COLUMN dashboard.agenda.command_name IS 'What is asked for then.';

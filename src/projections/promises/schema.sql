-- Promises to pay. `promise_history` has a row per event, from which a promise's state as of any day follows;
-- `promises` is that state now.

CREATE TABLE promises (
    promise_id     uuid    PRIMARY KEY,
    account_id     uuid    NOT NULL,
    made_on        date    NOT NULL,
    due_on         date    NOT NULL,
    instalments    jsonb   NOT NULL,
    promised_minor bigint  NOT NULL,
    received_minor bigint  NOT NULL,
    currency       text    NOT NULL,
    status         text    NOT NULL,
    level          integer NOT NULL,
    grace_days     integer NOT NULL,
    assignee       text,
    notes_position bigint,
    judged_on      date,
    position       bigint  NOT NULL
);

COMMENT ON TABLE  promises                IS 'Every promise to pay, as it stands now.';
COMMENT ON COLUMN promises.due_on         IS 'The day of the last instalment.';
COMMENT ON COLUMN promises.instalments    IS 'Array of {due_on, amount_minor}.';
COMMENT ON COLUMN promises.promised_minor IS 'Sum of the instalments, in minor units of the currency.';
COMMENT ON COLUMN promises.received_minor IS 'What came in towards it, in minor units.';
COMMENT ON COLUMN promises.status         IS 'open, kept, partially-kept, broken or withdrawn.';
COMMENT ON COLUMN promises.level          IS 'How many promises the account had broken before.';
COMMENT ON COLUMN promises.notes_position IS 'Place in the log of the event with its notes, which are personal and stay encrypted there.';
COMMENT ON COLUMN promises.judged_on      IS 'The day on which it was kept, partially kept, broken or withdrawn.';
COMMENT ON COLUMN promises.position       IS 'Place in the log of the last event that changed the row.';

CREATE TABLE promise_history (
    promise_id     uuid        NOT NULL,
    position       bigint      NOT NULL,
    event_id       uuid        NOT NULL,
    account_id     uuid        NOT NULL,
    effective_on   date        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    made_on        date,
    due_on         date,
    instalments    jsonb,
    promised_minor bigint,
    received_minor bigint,
    currency       text,
    status         text,
    level          integer,
    grace_days     integer,
    assignee       text,
    notes_position bigint,
    judged_on      date,
    PRIMARY KEY (promise_id, position)
);

COMMENT ON TABLE  promise_history                IS 'What each event said of a promise; null where it said nothing.';
COMMENT ON COLUMN promise_history.position       IS 'Place in the log of the event.';
COMMENT ON COLUMN promise_history.notes_position IS 'The same as position where the event has notes, which are personal and stay encrypted in the log.';

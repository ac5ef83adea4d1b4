-- Every future thing. A row is due from a moment on, or from the beginning of a local day of its office on.
-- What the kinds are, and what each is about, is said in comments that are made from policies/agenda.py.

CREATE TABLE agenda (
    kind          text      NOT NULL,
    ref           uuid      NOT NULL,
    owner_id      uuid      NOT NULL,
    office_id     uuid      NOT NULL,
    due_at        timestamptz,
    due_on        date,
    due_from      timestamp NOT NULL GENERATED ALWAYS AS (coalesce(due_at AT TIME ZONE 'UTC', due_on::timestamp)) STORED,
    place         integer   NOT NULL,
    command_name  text      NOT NULL,
    payload       jsonb     NOT NULL,
    last_position bigint    NOT NULL,
    PRIMARY KEY (kind, ref),
    CHECK ((due_at IS NULL) <> (due_on IS NULL))
) WITH (fillfactor = 80);

COMMENT ON TABLE  agenda               IS 'Every future thing, and the command that is asked for when it is due.';
COMMENT ON COLUMN agenda.owner_id      IS 'The account; or the campaign or office whose pause ends, the placement file, or the schedule.';
COMMENT ON COLUMN agenda.due_at        IS 'The moment it is due; null where it is due on a local day.';
COMMENT ON COLUMN agenda.due_on        IS 'The local day of the office on which it is due; null where it is due at a moment.';
COMMENT ON COLUMN agenda.due_from      IS 'What rows of a kind are ordered by: the moment in UTC, or the day''s midnight in any zone.';
COMMENT ON COLUMN agenda.place         IS 'Hash of the owner, as Kafka has it: modulo the number of partitions it says whose work it is.';
COMMENT ON COLUMN agenda.command_name  IS 'The command to issue when it is due.';
COMMENT ON COLUMN agenda.payload       IS 'The command''s body.';
COMMENT ON COLUMN agenda.last_position IS 'Place in the log of the event that planned it so.';

CREATE INDEX agenda_due ON agenda (kind, due_from, ref);

CREATE TABLE offices (
    office_id     uuid   PRIMARY KEY,
    code          text   NOT NULL,
    title         text   NOT NULL,
    currency      text   NOT NULL,
    time_zone     text   NOT NULL,
    last_position bigint NOT NULL
);

COMMENT ON TABLE  offices               IS 'Offices, and the time zone that says when their days begin.';
COMMENT ON COLUMN offices.last_position IS 'Place in the log of the last event that changed the row.';

CREATE TABLE agenda_owners (
    owner_id      uuid   PRIMARY KEY,
    office_id     uuid   NOT NULL,
    last_position bigint NOT NULL
) WITH (fillfactor = 70);

COMMENT ON TABLE  agenda_owners               IS 'Accounts, campaigns, offices, placement files and schedules: whose days count, and how far each was read.';
COMMENT ON COLUMN agenda_owners.last_position IS 'A repeat of an event at or below it changes nothing, also where its row is gone.';

CREATE TABLE agenda_promises (
    promise_id    uuid    PRIMARY KEY,
    instalments   jsonb   NOT NULL,
    grace_days    integer NOT NULL,
    received      bigint  NOT NULL,
    is_open       boolean NOT NULL,
    last_position bigint  NOT NULL
);

COMMENT ON TABLE  agenda_promises             IS 'What the next day of judgement of a promise follows from.';
COMMENT ON COLUMN agenda_promises.instalments IS 'Array of [due on, minor units], by day.';

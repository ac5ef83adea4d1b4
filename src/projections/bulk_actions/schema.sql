-- Bulk actions: what was previewed, what became of it, and each account's outcome. Every event says its own columns,
-- once, so the order in which events come does not matter. Counts of rows are moved by what an event changes of them.

CREATE TABLE bulk_actions (
    bulk_id         uuid        PRIMARY KEY,
    office_id       uuid,
    kind            text,
    parameters      jsonb,
    filters         jsonb,
    as_of           date,
    currency        text,
    accounts        bigint,
    parts           integer,
    total_minor     bigint,
    shown_position  bigint,
    digest          text,
    schedule_id     uuid,
    previewed_at    timestamptz,
    previewed_by    text,
    confirmed_at    timestamptz,
    confirmed_by    text,
    without_changed boolean,
    finished_at     timestamptz,
    done            bigint,
    changed         bigint,
    refused         bigint,
    skipped         bigint,
    failed          bigint,
    cancelled_at    timestamptz,
    cancelled_by    text,
    undo_begun_at   timestamptz,
    undo_begun_by   text,
    undone_at       timestamptz,
    undone_done     bigint,
    undone_changed  bigint,
    undone_failed   bigint,
    undo_attempt    bigint,
    undone_attempt  bigint,
    rows_done       bigint      NOT NULL DEFAULT 0,
    rows_changed    bigint      NOT NULL DEFAULT 0,
    rows_refused    bigint      NOT NULL DEFAULT 0,
    rows_skipped    bigint      NOT NULL DEFAULT 0,
    rows_undone     bigint      NOT NULL DEFAULT 0,
    rows_kept       bigint      NOT NULL DEFAULT 0,
    position        bigint      NOT NULL
);

COMMENT ON TABLE  bulk_actions                 IS 'Every bulk action: what it does to how many accounts, who said so, and what came of it.';
COMMENT ON COLUMN bulk_actions.kind            IS 'What it does to each account, such as flags.';
COMMENT ON COLUMN bulk_actions.filters         IS 'Of the report, as asked; of a search only that there was one.';
COMMENT ON COLUMN bulk_actions.total_minor     IS 'Sum of the amounts in question, in minor units; null where the kind has none.';
COMMENT ON COLUMN bulk_actions.shown_position  IS 'Up to which place in the log the previewed report was.';
COMMENT ON COLUMN bulk_actions.digest          IS 'SHA-256 of the rows in their order.';
COMMENT ON COLUMN bulk_actions.without_changed IS 'Whether accounts that had changed since the preview were left out.';
COMMENT ON COLUMN bulk_actions.changed         IS 'Accounts that were not as the preview showed them, and were left as they are.';
COMMENT ON COLUMN bulk_actions.failed          IS 'Accounts that could not be asked because of a defect.';
COMMENT ON COLUMN bulk_actions.undone_changed  IS 'Accounts on which somebody had changed the same since, or that could not reverse it as they were: that stayed.';
COMMENT ON COLUMN bulk_actions.undone_failed   IS 'Accounts that refused to reverse it, or could not be asked because of a defect.';
COMMENT ON COLUMN bulk_actions.undo_attempt    IS 'How often an undo was begun; null: never.';
COMMENT ON COLUMN bulk_actions.undone_attempt  IS 'Which of them was the last to end; null: none.';
COMMENT ON COLUMN bulk_actions.rows_done       IS 'Accounts with this outcome by now; what the events at its end say is in done.';
COMMENT ON COLUMN bulk_actions.rows_changed    IS 'The same of changed.';
COMMENT ON COLUMN bulk_actions.rows_refused    IS 'The same of refused.';
COMMENT ON COLUMN bulk_actions.rows_skipped    IS 'The same of skipped.';
COMMENT ON COLUMN bulk_actions.rows_undone     IS 'Accounts on which it is reversed by now.';
COMMENT ON COLUMN bulk_actions.rows_kept       IS 'Accounts whose undo left something as it was, by now.';
COMMENT ON COLUMN bulk_actions.position        IS 'Place in the log of an event of the action.';

CREATE TABLE bulk_rows (
    bulk_id      uuid   NOT NULL,
    account_id   uuid   NOT NULL,
    place        bigint,
    expected     jsonb,
    amount_minor bigint,
    outcome      text,
    reason_code  text,
    detail       text,
    undo_outcome text,
    undo_code    text,
    undo_detail  text,
    PRIMARY KEY (bulk_id, account_id)
);

COMMENT ON TABLE  bulk_rows              IS 'The accounts of every bulk action as its preview froze them, and what came of each.';
COMMENT ON COLUMN bulk_rows.place        IS 'Where the preview showed it, from 1.';
COMMENT ON COLUMN bulk_rows.expected     IS 'The figures that were shown and have to be so still, by column of the report.';
COMMENT ON COLUMN bulk_rows.amount_minor IS 'The amount in question, in minor units of the action''s currency.';
COMMENT ON COLUMN bulk_rows.outcome      IS 'done, changed, refused or skipped; null before the account was asked.';
COMMENT ON COLUMN bulk_rows.undo_outcome IS 'done or changed; null before it was asked to reverse it.';

CREATE TABLE bulk_schedules (
    schedule_id   uuid   PRIMARY KEY,
    office_id     uuid,
    kind          text,
    parameters    jsonb,
    filter        text,
    currency      text,
    recurrence    jsonb,
    due_at        timestamptz,
    due_on        date,
    most_accounts bigint,
    most_minor    bigint,
    made_at       timestamptz,
    made_by       text,
    cancelled_at  timestamptz,
    cancelled_by  text,
    position      bigint NOT NULL
);

COMMENT ON TABLE  bulk_schedules               IS 'Schedules of bulk actions, each as it was made, and whether it was ended.';
COMMENT ON COLUMN bulk_schedules.filter        IS 'Name of a filter that the office keeps.';
COMMENT ON COLUMN bulk_schedules.recurrence    IS 'Every how long, on which day of that, from when on; null where it is once.';
COMMENT ON COLUMN bulk_schedules.due_at        IS 'The moment of one that is once.';
COMMENT ON COLUMN bulk_schedules.due_on        IS 'The first local day of the office, of one that recurs. Later ones are said by its runs.';
COMMENT ON COLUMN bulk_schedules.most_accounts IS 'With more accounts it waits for a person.';
COMMENT ON COLUMN bulk_schedules.most_minor    IS 'With a larger sum, in minor units, it waits for a person; null: no matter.';
COMMENT ON COLUMN bulk_schedules.position      IS 'Place in the log of the last event that said something of the row.';

CREATE TABLE bulk_schedule_runs (
    run_id        uuid   PRIMARY KEY,
    schedule_id   uuid,
    due_at        timestamptz,
    due_on        date,
    fell_due_at   timestamptz,
    next_on       date,
    outcome       text,
    bulk_id       uuid,
    accounts      bigint,
    touched_minor bigint,
    detail        text,
    ended_at      timestamptz,
    position      bigint NOT NULL
);

COMMENT ON TABLE  bulk_schedule_runs               IS 'Each time that a schedule was due, and what came of it.';
COMMENT ON COLUMN bulk_schedule_runs.next_on       IS 'The next local day on which the schedule was due then; null where there was none.';
COMMENT ON COLUMN bulk_schedule_runs.outcome       IS 'confirmed, waiting, nothing or failed; null while it is made.';
COMMENT ON COLUMN bulk_schedule_runs.touched_minor IS 'Amounts in question, or balances, in minor units: what was compared with the most that it may be.';
COMMENT ON COLUMN bulk_schedule_runs.detail        IS 'Why it waits, or failed.';
COMMENT ON COLUMN bulk_schedule_runs.position      IS 'Place in the log of the last event that said something of the row.';

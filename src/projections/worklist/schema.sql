-- One row per thing that has to be done. What ends it deletes it. What the kinds are is said in kinds.py.

CREATE TABLE worklist (
    item_id       uuid        NOT NULL,
    kind          text        NOT NULL,
    account_id    uuid        NOT NULL,
    what          text,
    since         timestamptz NOT NULL,
    due_on        date,
    due_at        timestamptz,
    shows_on      date,
    assignee      text,
    amount_minor  bigint,
    currency      text,
    about         uuid,
    is_task       boolean     NOT NULL,
    snoozed_until timestamptz,
    snoozed_by    text,
    last_position bigint      NOT NULL,
    PRIMARY KEY (item_id, kind)
) WITH (fillfactor = 80);

CREATE INDEX worklist_account ON worklist (account_id);

COMMENT ON TABLE  worklist               IS 'Everything that has to be done about accounts now or on a day to come, a row each.';
COMMENT ON COLUMN worklist.item_id       IS 'Id of what it is about: an activity, call, complaint, dispute, payment claim or message.';
COMMENT ON COLUMN worklist.what          IS 'Which of the kind: of a contact how it was made, of a complaint its kind, of a dispute its reason.';
COMMENT ON COLUMN worklist.due_on        IS 'The local day of the office by which it is to be done.';
COMMENT ON COLUMN worklist.due_at        IS 'The moment of that day, where one was said.';
COMMENT ON COLUMN worklist.shows_on      IS 'The local day from which on it is shown; null: at once.';
COMMENT ON COLUMN worklist.assignee      IS 'Who does it; null: everybody sees it.';
COMMENT ON COLUMN worklist.amount_minor  IS 'What is at stake in itself, in minor units; null: what is past due on the account.';
COMMENT ON COLUMN worklist.about         IS 'The item whose task it is: while that is there this one is not shown.';
COMMENT ON COLUMN worklist.is_task       IS 'Whether it ends by saying that it was done: a follow-up, or a task that a policy asked for.';
COMMENT ON COLUMN worklist.last_position IS 'Place in the log of the last event that changed the row.';

CREATE TABLE worklist_accounts (
    account_id    uuid   PRIMARY KEY,
    causes        jsonb  NOT NULL,
    last_position bigint NOT NULL
) WITH (fillfactor = 70);

COMMENT ON TABLE  worklist_accounts               IS 'Accounts about which something had to be done, and how far each was read.';
COMMENT ON COLUMN worklist_accounts.causes        IS 'By event of which a policy makes a task: of which kind that is, the amount, the item.';
COMMENT ON COLUMN worklist_accounts.last_position IS 'A repeat of an event at or below it changes nothing, also where its row is gone.';

CREATE TABLE closed_days (
    office_id     uuid        NOT NULL,
    agent         text        NOT NULL,
    day           date        NOT NULL,
    closed_at     timestamptz NOT NULL,
    closed_by     text        NOT NULL,
    contacts      integer     NOT NULL,
    follow_ups    integer     NOT NULL,
    remaining     integer     NOT NULL,
    last_position bigint      NOT NULL,
    PRIMARY KEY (office_id, agent, day)
);

COMMENT ON TABLE  closed_days               IS 'The days that agents closed, as their last closing says.';
COMMENT ON COLUMN closed_days.day           IS 'Local day of the office.';
COMMENT ON COLUMN closed_days.contacts      IS 'How many contacts the agent made on the day, all documented.';
COMMENT ON COLUMN closed_days.follow_ups    IS 'How many follow-ups they completed on it.';
COMMENT ON COLUMN closed_days.remaining     IS 'How much was left on their worklist.';
COMMENT ON COLUMN closed_days.last_position IS 'Place in the log of the last event that changed the row.';

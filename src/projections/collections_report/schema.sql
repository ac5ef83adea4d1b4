-- Where every account stands now: one row each, and its open items. Amounts are in minor units of the currency.

CREATE TABLE collections_report (
    account_id         uuid        PRIMARY KEY,
    office_id          uuid        NOT NULL,
    number             text        NOT NULL,
    customer_name      text        NOT NULL,
    currency           text        NOT NULL,
    customer_kind      text        NOT NULL,
    segment            text,
    country            text,
    balance            bigint      NOT NULL,
    outstanding        bigint      NOT NULL,
    unapplied          bigint      NOT NULL,
    past_due           bigint      NOT NULL,
    buckets            jsonb       NOT NULL,
    bucket             text        NOT NULL,
    oldest_due_on      date,
    open_items         integer     NOT NULL,
    disputed           bigint      NOT NULL,
    stage              text,
    why_code           text,
    why_detail         text,
    campaign_id        uuid,
    plan_version       integer,
    flags              text[]      NOT NULL,
    next_action        text,
    next_action_at     timestamptz,
    next_step          text,
    review_at          timestamptz,
    last_payment_on    date,
    last_payment_minor bigint,
    last_contact_on    date,
    broken_promises    integer     NOT NULL,
    open_promises      integer     NOT NULL,
    excluded           boolean     NOT NULL,
    held               boolean     NOT NULL,
    collections_stage  text        NOT NULL,
    last_position      bigint      NOT NULL,
    updated_at         timestamptz NOT NULL,
    memory             jsonb       NOT NULL
) WITH (fillfactor = 70);

COMMENT ON TABLE  collections_report                    IS 'One row per account: what it owes, how old that is, where it stands and why.';
COMMENT ON COLUMN collections_report.customer_name      IS 'Personal; reads erased once the account''s key is destroyed and the report is rebuilt.';
COMMENT ON COLUMN collections_report.balance            IS 'Outstanding less unapplied; negative where the customer has credit.';
COMMENT ON COLUMN collections_report.outstanding        IS 'Sum of open items, due or not.';
COMMENT ON COLUMN collections_report.unapplied          IS 'Payments and credits not allocated yet.';
COMMENT ON COLUMN collections_report.past_due           IS 'Sum of open items in any bucket but current.';
COMMENT ON COLUMN collections_report.buckets            IS 'Open amount by aging bucket, without empty ones.';
COMMENT ON COLUMN collections_report.bucket             IS 'That of the oldest item; current where nothing is past due.';
COMMENT ON COLUMN collections_report.disputed           IS 'Open amount of items under an open dispute.';
COMMENT ON COLUMN collections_report.stage              IS 'Auto-collection stage; null where nothing is owed or nothing was judged yet.';
COMMENT ON COLUMN collections_report.next_action        IS 'Title of the next step, or Review where only a new judgement is planned.';
COMMENT ON COLUMN collections_report.last_payment_on    IS 'Of the latest payment that was not taken back.';
COMMENT ON COLUMN collections_report.last_contact_on    IS 'The latest message sent, or call, message or letter recorded.';
COMMENT ON COLUMN collections_report.collections_stage  IS 'Where the account stands with an outside agency.';
COMMENT ON COLUMN collections_report.last_position      IS 'Place in the log of the last event about the account that was shown here.';
COMMENT ON COLUMN collections_report.updated_at         IS 'When that event was recorded.';
COMMENT ON COLUMN collections_report.memory             IS 'What later events of the account need: holds, open promises, latest payments.';

CREATE TABLE open_items (
    item_id       uuid    PRIMARY KEY,
    account_id    uuid    NOT NULL,
    number        text    NOT NULL,
    kind          text    NOT NULL,
    issued_on     date    NOT NULL,
    due_on        date    NOT NULL,
    amount        bigint  NOT NULL,
    open          bigint  NOT NULL,
    bucket        text    NOT NULL,
    dispute_id    uuid,
    service_type  text,
    subscription  text,
    last_position bigint  NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX open_items_account ON open_items (account_id);

COMMENT ON TABLE  open_items               IS 'Every invoice that has an open amount now. A settled one is not here any more.';
COMMENT ON COLUMN open_items.amount        IS 'What was invoiced, in minor units.';
COMMENT ON COLUMN open_items.open          IS 'What of it is still open, in minor units.';
COMMENT ON COLUMN open_items.bucket        IS 'The aging bucket it was last moved to.';
COMMENT ON COLUMN open_items.last_position IS 'Place in the log of the last event that changed the row.';

CREATE TABLE campaigns (
    campaign_id   uuid    PRIMARY KEY,
    office_id     uuid    NOT NULL,
    title         text    NOT NULL,
    plan_version  integer NOT NULL,
    status        text    NOT NULL,
    paused_from   timestamptz,
    paused_until  timestamptz,
    last_position bigint  NOT NULL
);

COMMENT ON TABLE  campaigns               IS 'Campaigns, their current version, and whether they run.';
COMMENT ON COLUMN campaigns.status        IS 'running or retired; a running one may be paused.';
COMMENT ON COLUMN campaigns.last_position IS 'Place in the log of the last event that changed the row.';

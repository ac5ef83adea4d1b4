-- Where every account stands now: one row each, and its open items. Amounts are in minor units of the currency.

CREATE TABLE collections_report (
    {columns},
    PRIMARY KEY (account_id)
) WITH (fillfactor = 70);

COMMENT ON TABLE collections_report IS 'One row per account: what it owes, how old that is, where it stands and why.';
{comments}

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
    disputed_part bigint,
    service_type  text,
    subscription  text,
    last_position bigint  NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX open_items_account ON open_items (account_id);

COMMENT ON TABLE  open_items               IS 'Every invoice that has an open amount now. A settled one is not here any more.';
COMMENT ON COLUMN open_items.amount        IS 'What was invoiced, in minor units.';
COMMENT ON COLUMN open_items.open          IS 'What of it is still open, in minor units.';
COMMENT ON COLUMN open_items.bucket        IS 'The aging bucket it was last moved to.';
COMMENT ON COLUMN open_items.disputed_part IS 'How much of it is disputed, at most what is open; null: all of it, if dispute_id is there.';
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

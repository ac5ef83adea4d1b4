-- The bitemporal ledger. What is owed as of a day is a sum over entries that are effective on or before it;
-- what was known on a day is the same sum over the entries recorded before that day's end.

CREATE TABLE ledger_offices (
    office_id  uuid   PRIMARY KEY,
    code       text   NOT NULL,
    title      text   NOT NULL,
    currency   text   NOT NULL,
    time_zone  text   NOT NULL,
    position   bigint NOT NULL
);

COMMENT ON TABLE  ledger_offices           IS 'Offices: the currency and the time zone in which their days begin.';
COMMENT ON COLUMN ledger_offices.position  IS 'Place in the log of the last event that changed the row.';

CREATE TABLE ledger_accounts (
    account_id    uuid   PRIMARY KEY,
    office_id     uuid   NOT NULL,
    number        text   NOT NULL,
    customer_kind text   NOT NULL,
    segment       text,
    country       text,
    currency      text   NOT NULL,
    opened_on     date   NOT NULL,
    position      bigint NOT NULL
);

COMMENT ON TABLE  ledger_accounts               IS 'Accounts: whose receivables the ledger''s items and entries are.';
COMMENT ON COLUMN ledger_accounts.customer_kind IS 'consumer or commercial.';
COMMENT ON COLUMN ledger_accounts.opened_on     IS 'Since when the account is worked.';
COMMENT ON COLUMN ledger_accounts.position      IS 'Place in the log of the last event that changed the row.';

CREATE TABLE ledger_items (
    item_id        uuid        NOT NULL,
    position       bigint      NOT NULL,
    account_id     uuid        NOT NULL,
    number         text        NOT NULL,
    kind           text        NOT NULL,
    issued_on      date        NOT NULL,
    due_on         date        NOT NULL,
    amount_minor   bigint      NOT NULL,
    charges_minor  bigint      NOT NULL,
    currency       text        NOT NULL,
    service_type   text,
    subscription   text,
    recorded_from  timestamptz NOT NULL,
    recorded_until timestamptz NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (item_id, position)
);

COMMENT ON TABLE  ledger_items                IS 'Invoices and fee invoices: a version for each time that what we knew of one changed.';
COMMENT ON COLUMN ledger_items.position       IS 'Place in the log of the event that brought this version.';
COMMENT ON COLUMN ledger_items.kind           IS 'invoice or fee.';
COMMENT ON COLUMN ledger_items.amount_minor   IS 'Amount invoiced, in minor units of the currency.';
COMMENT ON COLUMN ledger_items.charges_minor  IS 'Original charges before discount, in minor units.';
COMMENT ON COLUMN ledger_items.recorded_from  IS 'When we learned of this version.';
COMMENT ON COLUMN ledger_items.recorded_until IS 'When a later version replaced it; infinity for the version we know now.';

CREATE TABLE ledger_entries (
    position        bigint      NOT NULL,
    ordinal         smallint    NOT NULL,
    event_id        uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    item_id         uuid,
    funds_id        uuid,
    kind            text        NOT NULL,
    effective_on    date        NOT NULL,
    recorded_at     timestamptz NOT NULL,
    item_minor      bigint      NOT NULL,
    unapplied_minor bigint      NOT NULL,
    sale_minor      bigint      NOT NULL,
    claim_minor     bigint      NOT NULL,
    currency        text        NOT NULL,
    PRIMARY KEY (position, ordinal)
);

COMMENT ON TABLE  ledger_entries                 IS 'Every movement of an open amount or of unapplied funds; never changed once written.';
COMMENT ON COLUMN ledger_entries.position        IS 'Place in the log of the event that the entry is from; with ordinal, the entry''s id.';
COMMENT ON COLUMN ledger_entries.funds_id        IS 'The payment, credit or write-off that moved.';
COMMENT ON COLUMN ledger_entries.kind            IS 'invoice, correction, payment, credit, allocation, release, reversal, refund, error, withdrawal, write-off, recovery or write-off-reversal.';
COMMENT ON COLUMN ledger_entries.effective_on    IS 'When it is true: issue, receipt, allocation, reversal or refund day.';
COMMENT ON COLUMN ledger_entries.recorded_at     IS 'When we learned it.';
COMMENT ON COLUMN ledger_entries.item_minor      IS 'Signed change of the item''s open amount, in minor units.';
COMMENT ON COLUMN ledger_entries.unapplied_minor IS 'Signed change of the account''s unapplied funds, in minor units.';
COMMENT ON COLUMN ledger_entries.claim_minor     IS 'Signed change of what is written off with the claim kept, in minor units.';
COMMENT ON COLUMN ledger_entries.sale_minor      IS 'Signed change of credit sales: what was invoiced, in minor units.';

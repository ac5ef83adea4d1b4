-- Fees that Arrears added, line by line; and what fees are taken of and allowed by, besides the ledger.

CREATE TABLE fees (
    item_id       uuid    PRIMARY KEY,
    account_id    uuid    NOT NULL,
    number        text    NOT NULL,
    service_type  text,
    basis         text    NOT NULL,
    as_of         date    NOT NULL,
    issued_on     date    NOT NULL,
    due_on        date    NOT NULL,
    amount_minor  bigint  NOT NULL,
    currency      text    NOT NULL,
    is_withdrawn  boolean NOT NULL,
    last_position bigint  NOT NULL
);

COMMENT ON TABLE  fees               IS 'Every fee that Arrears added: an invoice of its own.';
COMMENT ON COLUMN fees.basis         IS 'What it is taken of, such as balance-percent.';
COMMENT ON COLUMN fees.as_of         IS 'The day of what it is taken of.';
COMMENT ON COLUMN fees.amount_minor  IS 'In minor units of the currency.';
COMMENT ON COLUMN fees.is_withdrawn  IS 'Whether it never was owed.';
COMMENT ON COLUMN fees.last_position IS 'Place in the log of the last event that changed the row.';

CREATE TABLE fee_lines (
    item_id        uuid     NOT NULL,
    ordinal        smallint NOT NULL,
    source         text     NOT NULL,
    source_item_id uuid,
    base_minor     bigint   NOT NULL,
    amount_minor   bigint   NOT NULL,
    PRIMARY KEY (item_id, ordinal)
);

COMMENT ON TABLE  fee_lines                IS 'What each fee is taken of.';
COMMENT ON COLUMN fee_lines.source         IS 'Number of an invoice or a subscription; empty where it is the account.';
COMMENT ON COLUMN fee_lines.source_item_id IS 'The invoice.';
COMMENT ON COLUMN fee_lines.base_minor     IS 'What it is taken of, in minor units.';
COMMENT ON COLUMN fee_lines.amount_minor   IS 'What is taken, in minor units.';

CREATE TABLE subscriptions (
    account_id             uuid   NOT NULL,
    number                 text   NOT NULL,
    service_type           text,
    started_on             date,
    ends_on                date,
    services_agreed        integer,
    services_done          integer,
    initial_discount_minor bigint,
    cancelled_on           date,
    frozen                 text,
    frozen_since           date,
    status                 text   NOT NULL GENERATED ALWAYS AS (
        CASE WHEN cancelled_on IS NOT NULL THEN 'cancelled' WHEN frozen IS NOT NULL THEN 'frozen' ELSE 'active' END
    ) STORED,
    freeze_position        bigint NOT NULL DEFAULT 0,
    last_position          bigint NOT NULL,
    PRIMARY KEY (account_id, number)
);

COMMENT ON TABLE  subscriptions                        IS 'Services that customers subscribe to.';
COMMENT ON COLUMN subscriptions.ends_on                IS 'The last day of its term.';
COMMENT ON COLUMN subscriptions.initial_discount_minor IS 'In minor units of the account''s currency.';
COMMENT ON COLUMN subscriptions.cancelled_on           IS 'Since when it is cancelled, or will be.';
COMMENT ON COLUMN subscriptions.frozen                 IS 'Code of the reason for which it is frozen; null where it is not.';
COMMENT ON COLUMN subscriptions.frozen_since           IS 'The day on which it was frozen.';
COMMENT ON COLUMN subscriptions.status                 IS 'active, frozen or cancelled.';
COMMENT ON COLUMN subscriptions.freeze_position        IS 'Place in the log of the last event that froze it or made it active.';
COMMENT ON COLUMN subscriptions.last_position          IS 'Place in the log of the last event that recorded it.';

CREATE TABLE fee_grounds (
    account_id    uuid   PRIMARY KEY,
    ground        text,
    last_position bigint NOT NULL
);

COMMENT ON TABLE  fee_grounds        IS 'What allows fees on accounts of consumers whose debt is collected for others.';
COMMENT ON COLUMN fee_grounds.ground IS 'agreement or law; null: it was taken back.';

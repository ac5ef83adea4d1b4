-- Placements, their files, and what agencies collected. Every event says its own columns, so their order does not
-- matter; where a file stands is that of its last event.

CREATE TABLE placements (
    placement_id        uuid   PRIMARY KEY,
    account_id          uuid,
    agency              text,
    file_id             uuid,
    bulk_id             uuid,
    placed_on           date,
    placed_by           text,
    balance_minor       bigint,
    currency            text,
    itemization_type    text,
    itemization_date    date,
    recall_on           date,
    placed_position     bigint,
    sent_on             date,
    acknowledged_on     date,
    agency_number       text,
    ended_on            date,
    ended               text,
    code                text,
    ended_position      bigint,
    position            bigint NOT NULL
);

COMMENT ON TABLE  placements                  IS 'Every placement of an account with an agency; one of an account is open at most.';
COMMENT ON COLUMN placements.agency           IS 'Code of the agency in its office.';
COMMENT ON COLUMN placements.file_id          IS 'The placement file that told the agency.';
COMMENT ON COLUMN placements.balance_minor    IS 'What was owed when it was placed, in minor units.';
COMMENT ON COLUMN placements.itemization_date IS 'The day from which the debt is itemized.';
COMMENT ON COLUMN placements.recall_on        IS 'The day on which it is recalled by the agency''s terms.';
COMMENT ON COLUMN placements.ended            IS 'recalled, closed or rejected; null while it is open.';
COMMENT ON COLUMN placements.position         IS 'Place in the log of an event about it.';

CREATE TABLE placement_files (
    file_id            uuid   PRIMARY KEY,
    office_id          uuid,
    agency             text,
    contents           text,
    layout             text,
    name               text,
    currency           text,
    bulk_id            uuid,
    account_id         uuid,
    requested_at       timestamptz,
    requested_by       text,
    requested_position bigint,
    accounts           bigint,
    total_minor        bigint,
    rows               bigint,
    sha256             text,
    fingerprint        text,
    through_position   bigint,
    state              text,
    detail             text,
    delivered_on       date,
    acknowledge_by     date,
    acknowledged_accounts bigint,
    acknowledged_minor bigint,
    matches            boolean,
    overdue_on         date,
    position           bigint NOT NULL DEFAULT 0
);

COMMENT ON TABLE  placement_files                  IS 'Files for agencies: what is in each, whether it arrived, and what the agency says it received.';
COMMENT ON COLUMN placement_files.contents         IS 'new, updates or full.';
COMMENT ON COLUMN placement_files.layout           IS 'Null: the agency''s own.';
COMMENT ON COLUMN placement_files.sha256           IS 'Of the file as it leaves.';
COMMENT ON COLUMN placement_files.fingerprint      IS 'Of the key that it is encrypted with; null: it leaves as it was written.';
COMMENT ON COLUMN placement_files.through_position IS 'Up to which place in the log it tells what happened.';
COMMENT ON COLUMN placement_files.state            IS 'requested, made, delivering, delivered or uncertain.';
COMMENT ON COLUMN placement_files.detail           IS 'Why it was not delivered.';
COMMENT ON COLUMN placement_files.matches          IS 'Whether the agency received what was in it, as it says; null: it said nothing yet.';
COMMENT ON COLUMN placement_files.overdue_on       IS 'The day on which it had not said so in time.';
COMMENT ON COLUMN placement_files.position         IS 'Place in the log of the event by which it stands so.';

CREATE TABLE agency_payments (
    payment_id       uuid   PRIMARY KEY,
    placement_id     uuid,
    account_id       uuid,
    agency           text,
    number           text,
    reference        text,
    amount_minor     bigint,
    commission_minor bigint,
    currency         text,
    paid_on          date,
    posted_at        timestamptz,
    reversed_on      date,
    stands_minor     bigint,
    position         bigint NOT NULL,
    collected_minor  bigint GENERATED ALWAYS AS (coalesce(stands_minor, amount_minor)) STORED,
    kept_minor       bigint GENERATED ALWAYS AS (
                         round(commission_minor::numeric * coalesce(stands_minor, amount_minor)
                               / nullif(amount_minor, 0))::bigint) STORED
);

COMMENT ON TABLE  agency_payments                  IS 'What agencies collected: all of it is a payment of the account, and the commission is apart.';
COMMENT ON COLUMN agency_payments.amount_minor     IS 'What the agency said that it collected, in minor units.';
COMMENT ON COLUMN agency_payments.commission_minor IS 'What the agency keeps of that, in minor units.';
COMMENT ON COLUMN agency_payments.collected_minor  IS 'What the agency collected, as it stands now.';
COMMENT ON COLUMN agency_payments.kept_minor       IS 'What the agency keeps of what stands: as large a part as of what it said.';
COMMENT ON COLUMN agency_payments.stands_minor     IS 'What the payment is now: corrected, or less what went back. Null: what was said.';
COMMENT ON COLUMN agency_payments.reversed_on      IS 'The day on which the payment was taken back; then no commission is due.';

CREATE TABLE placement_notices (
    position   bigint PRIMARY KEY,
    account_id uuid   NOT NULL,
    record     text   NOT NULL,
    code       text,
    noticed_on date   NOT NULL
);

COMMENT ON TABLE  placement_notices        IS 'What an agency is told of an account besides its money: disputes, and facts that end or limit contact.';
COMMENT ON COLUMN placement_notices.record IS 'dispute, dispute-resolved, notice or notice-withdrawn.';

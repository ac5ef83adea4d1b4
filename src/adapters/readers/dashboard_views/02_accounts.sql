-- over: collections_report, campaigns, offices, clock
CREATE OR REPLACE VIEW dashboard.accounts AS
SELECT r.account_id,
       d.office,
       r.number                                                     AS account_number,
       r.customer_name,
       r.customer_kind,
       r.segment,
       r.country,
       r.currency,
       dashboard.major_units(r.balance, r.currency)                 AS balance,
       dashboard.major_units(r.outstanding, r.currency)             AS outstanding,
       dashboard.major_units(r.unapplied, r.currency)               AS unapplied,
       dashboard.major_units(r.past_due, r.currency)                AS past_due,
       dashboard.major_units(r.disputed, r.currency)                AS disputed,
       r.open_items,
       r.oldest_due_on,
       greatest(0, coalesce(d.business_date - r.oldest_due_on, 0))  AS days_past_due,
       r.bucket,
       r.stage,
       r.why_code,
       r.why_detail,
       (SELECT c.title FROM read_model.campaigns c
        WHERE c.campaign_id = r.campaign_id)                        AS campaign,
       r.plan_version                                               AS campaign_version,
       r.flags,
       r.next_action,
       r.next_action_at,
       r.last_payment_on,
       dashboard.major_units(r.last_payment_minor, r.currency)      AS last_payment,
       r.last_contact_on,
       r.open_promises,
       r.broken_promises,
       r.excluded,
       r.held,
       r.collections_stage,
       r.updated_at
FROM read_model.collections_report r
LEFT JOIN dashboard.business_dates d USING (office_id);

COMMENT ON VIEW   dashboard.accounts                   IS 'The collections report: one row per account, with what it owes now, where it stands and why.';
COMMENT ON COLUMN dashboard.accounts.account_id        IS 'The account''s stable id.';
COMMENT ON COLUMN dashboard.accounts.office            IS 'Short code of the office that works it.';
COMMENT ON COLUMN dashboard.accounts.account_number    IS 'Number of the account in the customer''s own systems.';
COMMENT ON COLUMN dashboard.accounts.customer_name     IS 'Personal; reads erased once the person was erased.';
COMMENT ON COLUMN dashboard.accounts.customer_kind     IS 'consumer or commercial.';
COMMENT ON COLUMN dashboard.accounts.segment           IS 'Segment that billing gave the customer.';
COMMENT ON COLUMN dashboard.accounts.country           IS 'ISO 3166 code of the customer''s country.';
COMMENT ON COLUMN dashboard.accounts.currency          IS 'ISO 4217 code that all amounts of the row are in.';
COMMENT ON COLUMN dashboard.accounts.balance           IS 'Outstanding less unapplied, in major units; negative where the customer has credit.';
COMMENT ON COLUMN dashboard.accounts.outstanding       IS 'Sum of open items, due or not, in major units.';
COMMENT ON COLUMN dashboard.accounts.unapplied         IS 'Payments and credits not allocated yet, in major units.';
COMMENT ON COLUMN dashboard.accounts.past_due          IS 'Sum of open items in any bucket but current, in major units.';
COMMENT ON COLUMN dashboard.accounts.disputed          IS 'Open amount of disputed items, in major units.';
COMMENT ON COLUMN dashboard.accounts.open_items        IS 'How many items are open.';
COMMENT ON COLUMN dashboard.accounts.oldest_due_on     IS 'Due date of the oldest open item.';
COMMENT ON COLUMN dashboard.accounts.days_past_due     IS 'Days from the oldest open item''s due date to the business date; 0 where nothing is past due.';
COMMENT ON COLUMN dashboard.accounts.bucket            IS 'Aging bucket of the oldest open item.';
COMMENT ON COLUMN dashboard.accounts.stage             IS 'Auto-collection stage: outstanding, scheduled, engaged, follow-up or blocked; null where nothing is owed.';
COMMENT ON COLUMN dashboard.accounts.why_code          IS 'Stable code of the reason for the stage.';
COMMENT ON COLUMN dashboard.accounts.why_detail        IS 'The reason in a sentence.';
COMMENT ON COLUMN dashboard.accounts.campaign          IS 'Title of the campaign that the account is in.';
COMMENT ON COLUMN dashboard.accounts.campaign_version  IS 'Version of the campaign by which it was judged last.';
COMMENT ON COLUMN dashboard.accounts.flags             IS 'Flags that the account carries.';
COMMENT ON COLUMN dashboard.accounts.next_action       IS 'Title of the next planned step, or Review.';
COMMENT ON COLUMN dashboard.accounts.next_action_at    IS 'When it is planned.';
COMMENT ON COLUMN dashboard.accounts.last_payment_on   IS 'Day of the latest payment that was not taken back.';
COMMENT ON COLUMN dashboard.accounts.last_payment      IS 'Its amount in major units.';
COMMENT ON COLUMN dashboard.accounts.last_contact_on   IS 'Day of the latest contact.';
COMMENT ON COLUMN dashboard.accounts.open_promises     IS 'How many promises to pay are open.';
COMMENT ON COLUMN dashboard.accounts.broken_promises   IS 'How many the customer has broken.';
COMMENT ON COLUMN dashboard.accounts.excluded          IS 'Whether a person took it out of auto-collection.';
COMMENT ON COLUMN dashboard.accounts.held              IS 'Whether a hold lets the chase rest.';
COMMENT ON COLUMN dashboard.accounts.collections_stage IS 'Where it stands with an outside agency: not set, pending or sent.';
COMMENT ON COLUMN dashboard.accounts.updated_at        IS 'When the latest event shown in the row was recorded.';

-- What customers wrote and what carriers reported, without what was said: that stays encrypted in the log.

CREATE TABLE received_messages (
    inbound_id   uuid        PRIMARY KEY,
    position     bigint      NOT NULL,
    account_id   uuid        NOT NULL,
    channel      text        NOT NULL,
    point_id     text,
    received_at  timestamptz NOT NULL,
    in_reply_to  uuid,
    request      text,
    is_automatic boolean     NOT NULL,
    source       text,
    shared_with  uuid[]      NOT NULL,
    state        text        NOT NULL,
    read_by      text,
    read_at      timestamptz
) WITH (fillfactor = 80);

CREATE TABLE message_receipts (
    position    bigint      PRIMARY KEY,
    message_id  uuid        NOT NULL,
    account_id  uuid        NOT NULL,
    receipt     text        NOT NULL,
    code        text,
    at          timestamptz NOT NULL
);

CREATE TABLE unmatched_messages (
    inbound_id  uuid        PRIMARY KEY,
    position    bigint      NOT NULL,
    channel     text        NOT NULL,
    source      text        NOT NULL,
    received_at timestamptz NOT NULL,
    state       text        NOT NULL,
    account_id  uuid
) WITH (fillfactor = 80);

COMMENT ON TABLE  received_messages             IS 'Every message of a customer''s that is on an account.';
COMMENT ON COLUMN received_messages.position    IS 'Place in the log of the event that says what it says.';
COMMENT ON COLUMN received_messages.point_id    IS 'The number or address that it came from; null where the account has none such.';
COMMENT ON COLUMN received_messages.in_reply_to IS 'Our message that it answers.';
COMMENT ON COLUMN received_messages.request     IS 'stop, start or unclear: what its words ask for.';
COMMENT ON COLUMN received_messages.source      IS 'What it came through; null where a person recorded it.';
COMMENT ON COLUMN received_messages.shared_with IS 'Other accounts that have the number or address.';
COMMENT ON COLUMN received_messages.state       IS 'to-read, read, or noted: nobody has to read it.';
COMMENT ON TABLE  message_receipts              IS 'What carriers reported of messages that they took.';
COMMENT ON COLUMN message_receipts.receipt      IS 'delivered, soft-bounced, hard-bounced, not-in-service, complained or failed.';
COMMENT ON TABLE  unmatched_messages            IS 'Messages from numbers and addresses that no account had when they came.';
COMMENT ON COLUMN unmatched_messages.state      IS 'unmatched, assigned or discarded.';

-- Messages that were queued and have no result yet: when each is due, whose it is just now, and whether it was begun. The
-- log says what became of a message; this says who may hand it to its carrier, and goes once that is in the log.

CREATE TABLE arrears.deliveries (
    message_id     uuid        PRIMARY KEY,
    account_id     uuid        NOT NULL,
    office_id      uuid        NOT NULL,
    channel        text        NOT NULL,
    position       bigint      NOT NULL,
    event_id       uuid        NOT NULL,
    correlation_id uuid,
    traceparent    text,
    queued_at      timestamptz NOT NULL,
    is_paced       boolean     NOT NULL,
    due_at         timestamptz NOT NULL,
    attempts       integer     NOT NULL DEFAULT 0,
    problem        text,
    takes          integer     NOT NULL DEFAULT 0,
    owner          uuid,
    held_until     timestamptz,
    is_claimed     boolean     NOT NULL DEFAULT false,
    begun_at       timestamptz,
    letter         bytea,
    taken_at       timestamptz,
    reference      text,
    -- What was begun has no turn to wait for: only its result is missing.
    waits_for_turn boolean     NOT NULL GENERATED ALWAYS AS (is_paced AND begun_at IS NULL) STORED
) WITH (fillfactor = 60);

CREATE INDEX deliveries_turns ON arrears.deliveries (office_id, channel, due_at, position) WHERE waits_for_turn;
CREATE INDEX deliveries_due   ON arrears.deliveries (channel, due_at, position) WHERE NOT waits_for_turn;

COMMENT ON TABLE  arrears.deliveries            IS 'The queue of messages without a result. Times are those of the processes'' clocks.';
COMMENT ON COLUMN arrears.deliveries.position   IS 'Of the event that queued it, and so the order in which messages leave.';
COMMENT ON COLUMN arrears.deliveries.is_paced   IS 'Whether it counts towards the office''s messages a minute.';
COMMENT ON COLUMN arrears.deliveries.due_at     IS 'Not looked at before; later for what a carrier did not take.';
COMMENT ON COLUMN arrears.deliveries.attempts   IS 'How often the carrier certainly did not take it.';
COMMENT ON COLUMN arrears.deliveries.problem    IS 'Why, the last time; quotes nobody.';
COMMENT ON COLUMN arrears.deliveries.takes      IS 'How often somebody took it in hand.';
COMMENT ON COLUMN arrears.deliveries.owner      IS 'Who has it in hand: a sender, who shows by an advisory lock that it is there.';
COMMENT ON COLUMN arrears.deliveries.held_until IS 'Whose it is after that is not asked: an owner that is frozen is not waited for any longer.';
COMMENT ON COLUMN arrears.deliveries.is_claimed IS 'Whether the event that claims it was asked for from here.';
COMMENT ON COLUMN arrears.deliveries.begun_at   IS 'Since then the carrier may have it. Not written where the carrier takes each id once.';
COMMENT ON COLUMN arrears.deliveries.letter     IS 'As it was handed over, under the account''s key.';
COMMENT ON COLUMN arrears.deliveries.taken_at   IS 'When the carrier said that it took it.';

CREATE TABLE arrears.delivery_paces (
    office_id  uuid        PRIMARY KEY,
    per_minute integer     NOT NULL CHECK (per_minute > 0),
    next_at    timestamptz NOT NULL
) WITH (fillfactor = 50);

COMMENT ON TABLE  arrears.delivery_paces         IS 'How many messages a minute each office lets leave, over all processes.';
COMMENT ON COLUMN arrears.delivery_paces.next_at IS 'When its next message may leave.';

GRANT SELECT, INSERT, UPDATE, DELETE ON arrears.deliveries     TO arrears_app;
GRANT SELECT, INSERT, UPDATE         ON arrears.delivery_paces TO arrears_app;

-- Whose messages an office's limit of messages a day leaves room for; only where an office has such a limit.

CREATE TABLE arrears.messages_a_day (
    office_id  uuid NOT NULL,
    day        date NOT NULL,
    account_id uuid NOT NULL,
    PRIMARY KEY (office_id, day, account_id)
);

COMMENT ON TABLE  arrears.messages_a_day     IS 'Accounts that may get a message on a day of an office that limits its messages a day; kept for a week.';
COMMENT ON COLUMN arrears.messages_a_day.day IS 'The office''s local date.';

GRANT SELECT, INSERT, DELETE ON arrears.messages_a_day TO arrears_app;

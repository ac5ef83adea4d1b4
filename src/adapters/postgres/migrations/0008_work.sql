-- How far each piece of work over many accounts is. That it was begun, finished or cancelled stands in the log.

CREATE TABLE arrears.work (
    work_id            uuid        PRIMARY KEY,
    office_id          uuid        NOT NULL,
    command            text        NOT NULL,
    policy             text        NOT NULL,
    cause_position     bigint      NOT NULL CHECK (cause_position > 0),
    appends_before     text[]      NOT NULL,
    is_open            boolean     NOT NULL DEFAULT true,
    accounts           bigint,
    last_account_id    uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    done               bigint      NOT NULL DEFAULT 0,
    refused            bigint      NOT NULL DEFAULT 0,
    failed             bigint      NOT NULL DEFAULT 0,
    attempts           smallint    NOT NULL DEFAULT 0,
    retry_at           timestamptz,
    follows_account_id uuid,
    follows_version    integer,
    moved_at           timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);  -- a small row that is written with every chunk

CREATE INDEX work_open ON arrears.work (moved_at) WHERE is_open;

COMMENT ON TABLE  arrears.work                 IS 'How far each piece of work over many accounts is. Whoever holds a row''s lock does its next chunk.';
COMMENT ON COLUMN arrears.work.cause_position  IS 'It is about accounts that were opened at or before this place in the log.';
COMMENT ON COLUMN arrears.work.appends_before  IS 'Virtual ids of the transactions that were appending when the row was made: it waits for their end.';
COMMENT ON COLUMN arrears.work.is_open         IS 'False once the log says that it is finished or cancelled, and a worker has seen that.';
COMMENT ON COLUMN arrears.work.accounts        IS 'How many accounts it is about; NULL before the first chunk.';
COMMENT ON COLUMN arrears.work.last_account_id IS 'Accounts are asked in the order of their ids; up to this one all were.';
COMMENT ON COLUMN arrears.work.failed          IS 'Accounts that could not be asked because of a defect; the log names them.';
COMMENT ON COLUMN arrears.work.attempts        IS 'How often the next chunk has failed by now.';
COMMENT ON COLUMN arrears.work.follows_version IS 'With follows_account_id the last event of the last chunk: the next one waits until policies have seen it.';

GRANT SELECT, INSERT, UPDATE ON arrears.work TO arrears_app;

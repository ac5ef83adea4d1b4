-- What readers found on a topic and did not take, what people had them pass over, and how topics were divided.

CREATE TABLE read_model.quarantined_messages (
    topic         text        NOT NULL,
    partition     integer     NOT NULL,
    "offset"      bigint      NOT NULL,
    digest        bytea       NOT NULL CHECK (octet_length(digest) = 32),
    reader        text        NOT NULL,
    reason        text        NOT NULL,
    position      bigint,
    key_bytes     integer     NOT NULL,
    headers_bytes integer     NOT NULL,
    value_bytes   integer     NOT NULL,
    found_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition, "offset", digest)
);

CREATE INDEX quarantined_messages_found ON read_model.quarantined_messages (found_at);

COMMENT ON TABLE  read_model.quarantined_messages               IS 'Messages on a topic that are not what the log has. No reader takes them; what they say is on the topic alone.';
COMMENT ON COLUMN read_model.quarantined_messages.digest        IS 'SHA-256 of key, headers and value: a topic made anew may have another message at the same offset.';
COMMENT ON COLUMN read_model.quarantined_messages.reader        IS 'Who found it first.';
COMMENT ON COLUMN read_model.quarantined_messages.position      IS 'The place in the log that it claims; NULL where that cannot be read.';
COMMENT ON COLUMN read_model.quarantined_messages.headers_bytes IS 'Of all names and values together.';

CREATE TABLE read_model.skipped_messages (
    reader     text        NOT NULL,
    partition  integer     NOT NULL,
    "offset"   bigint      NOT NULL CHECK ("offset" >= 0),
    digest     bytea       NOT NULL CHECK (octet_length(digest) = 32),
    skipped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (reader, partition, "offset", digest)
);

COMMENT ON TABLE read_model.skipped_messages IS 'Messages that people have a reader pass over; the log has who and why.';

CREATE TABLE read_model.topic_divisions (
    topic      text    NOT NULL,
    partitions integer NOT NULL CHECK (partitions > 0),
    PRIMARY KEY (topic, partitions)
);

COMMENT ON TABLE read_model.topic_divisions IS 'Into how many partitions the publisher has divided a topic: an event stands in the partition of its key, by one of these numbers.';

GRANT SELECT, INSERT ON read_model.quarantined_messages, read_model.skipped_messages,
                        read_model.topic_divisions TO arrears_app;

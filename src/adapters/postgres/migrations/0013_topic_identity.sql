-- Which topic an offset belongs to: a topic that is deleted and made anew has the same name, other offsets, and an id of
-- its own. And into how many partitions it was divided, since that says which accounts a partition's place is about.

ALTER TABLE read_model.partitions
    ADD COLUMN topic_id     uuid,
    ADD COLUMN divided_into integer CHECK (divided_into > 0);

COMMENT ON COLUMN read_model.partitions.topic_id     IS 'Kafka''s id of the topic that next_offset belongs to; NULL where an earlier release stored it.';
COMMENT ON COLUMN read_model.partitions.divided_into IS 'How many partitions the topic had; NULL where an earlier release stored it.';

CREATE TABLE read_model.published_topics (
    reader       text        PRIMARY KEY REFERENCES read_model.checkpoints ON DELETE CASCADE,
    topic_id     uuid        NOT NULL,
    log_begins   bigint[]    NOT NULL CHECK (cardinality(log_begins) > 0),
    begun_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE  read_model.published_topics            IS 'The topic that the publisher''s checkpoint belongs to.';
COMMENT ON COLUMN read_model.published_topics.topic_id   IS 'Kafka''s id of the topic.';
COMMENT ON COLUMN read_model.published_topics.log_begins IS 'By partition: the offset from which the topic has the log, from the log''s first event on. There is one for each partition.';

GRANT SELECT, INSERT, UPDATE, DELETE ON read_model.published_topics TO arrears_app;

CREATE TABLE read_model.retired_places (
    reader       text    NOT NULL REFERENCES read_model.checkpoints ON DELETE CASCADE,
    divided_into integer NOT NULL CHECK (divided_into > 0),
    partition    integer NOT NULL CHECK (partition >= 0),
    position     bigint  NOT NULL CHECK (position >= 0),
    PRIMARY KEY (reader, divided_into, partition)
);

COMMENT ON TABLE  read_model.retired_places              IS 'Where readers stood in the partitions of a topic that was divided otherwise: nothing below is handled again. They are deleted once the checkpoint has passed them.';
COMMENT ON COLUMN read_model.retired_places.divided_into IS 'How many partitions that topic had.';
COMMENT ON COLUMN read_model.retired_places.position     IS 'Everything of the partition up to this place in the log was handled.';

GRANT SELECT, INSERT, UPDATE, DELETE ON read_model.retired_places TO arrears_app;

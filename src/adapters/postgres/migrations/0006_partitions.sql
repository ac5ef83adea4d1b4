-- Where readers of a divided topic go on: an offset for each partition, stored together with what was written.

CREATE TABLE read_model.partitions (
    reader      text        NOT NULL REFERENCES read_model.checkpoints ON DELETE CASCADE,
    partition   smallint    NOT NULL,
    next_offset bigint      NOT NULL CHECK (next_offset >= -1),
    position    bigint      NOT NULL CHECK (position >= 0),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (reader, partition)
) WITH (fillfactor = 50);  -- a small row that is written with every batch

COMMENT ON TABLE  read_model.partitions             IS 'How far each reader has read in each partition of the topic. Its checkpoint is the least of them.';
COMMENT ON COLUMN read_model.partitions.next_offset IS 'Where in the partition it goes on; -1 where that has to be found by position.';
COMMENT ON COLUMN read_model.partitions.position    IS 'Everything of the partition up to this place in the log was handled.';

GRANT SELECT, INSERT, UPDATE, DELETE ON read_model.partitions TO arrears_app;

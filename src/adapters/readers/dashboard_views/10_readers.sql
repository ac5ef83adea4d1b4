-- over: checkpoints, projections, dead_letters
CREATE OR REPLACE VIEW dashboard.readers AS
WITH head AS (
    SELECT coalesce((SELECT last FROM arrears.seals ORDER BY last DESC LIMIT 1), 0) AS position
)
SELECT coalesce(p.name, c.reader)                                                       AS reader,
       p.generation,
       coalesce(p.state, 'live')                                                        AS state,
       c.position                                                                       AS checkpoint,
       head.position                                                                    AS head,
       head.position - c.position                                                       AS lag_events,
       coalesce((SELECT extract(epoch FROM clock_timestamp() - s.sealed_at)::float8
                 FROM arrears.seals s WHERE s.last > c.position ORDER BY s.last LIMIT 1), 0) AS lag_seconds,
       (SELECT count(DISTINCT l.sequence_id)
        FROM read_model.dead_letters l WHERE l.reader = c.reader AND l.state = 'parked')    AS parked,
       c.trouble,
       c.updated_at
FROM head
CROSS JOIN read_model.checkpoints c
LEFT JOIN read_model.projections p USING (reader);

COMMENT ON VIEW   dashboard.readers             IS 'Projections, policies and other readers of the log, and how far behind they are.';
COMMENT ON COLUMN dashboard.readers.reader      IS 'Name of the projection, or of the other reader.';
COMMENT ON COLUMN dashboard.readers.generation  IS 'Which set of tables of the projection; null for other readers.';
COMMENT ON COLUMN dashboard.readers.state       IS 'live, or building while a rebuild runs beside the live one.';
COMMENT ON COLUMN dashboard.readers.checkpoint  IS 'Position of the last event it has worked on.';
COMMENT ON COLUMN dashboard.readers.head        IS 'Position of the log''s last event.';
COMMENT ON COLUMN dashboard.readers.lag_events  IS 'How many events it is behind.';
COMMENT ON COLUMN dashboard.readers.lag_seconds IS 'How long its next event has been waiting; 0 where there is none.';
COMMENT ON COLUMN dashboard.readers.parked      IS 'How many accounts are put aside because an event could not be handled.';
COMMENT ON COLUMN dashboard.readers.trouble     IS 'Why it stands still, while it does.';
COMMENT ON COLUMN dashboard.readers.updated_at  IS 'When it moved last.';

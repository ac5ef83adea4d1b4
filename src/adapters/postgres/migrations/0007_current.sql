-- What a decision read besides its targets (its office, running campaigns) must still be current when it is stored.
-- A volatile function looks at what is committed at the moment it runs, not at what was when its statement began.

CREATE FUNCTION arrears.require_current(aggregate_ids uuid[], versions integer[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF EXISTS (
        SELECT FROM unnest(aggregate_ids, versions) AS seen (aggregate_id, version)
        WHERE EXISTS (
            SELECT FROM arrears.events AS e WHERE e.aggregate_id = seen.aggregate_id AND e.version > seen.version
        )
    ) THEN
        RAISE EXCEPTION 'settings that were read have changed since' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN true;
END
$$;

COMMENT ON FUNCTION arrears.require_current IS 'Fails where an aggregate has events beyond the version that a decision read.';

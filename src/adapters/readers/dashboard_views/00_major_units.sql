-- over:
CREATE OR REPLACE FUNCTION dashboard.major_units(minor bigint, currency text) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN currency = ANY ('{BIF,CLP,DJF,GNF,ISK,JPY,KMF,KRW,PYG,RWF,UGX,UYI,VND,VUV,XAF,XOF,XPF}') THEN minor::numeric
        WHEN currency = ANY ('{BHD,IQD,JOD,KWD,LYD,OMR,TND}') THEN round(minor::numeric / 1000, 3)
        WHEN currency = ANY ('{CLF,UYW}') THEN round(minor::numeric / 10000, 4)
        ELSE round(minor::numeric / 100, 2)
    END
$$;

COMMENT ON FUNCTION dashboard.major_units IS 'An amount in the currency''s major units (dollars), from minor ones (cents).';

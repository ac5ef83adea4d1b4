-- over: offices, clock
CREATE OR REPLACE VIEW dashboard.business_dates AS
SELECT o.office_id,
       o.code                                                       AS office,
       o.title                                                      AS office_title,
       o.currency,
       o.time_zone,
       (coalesce(c.now, now()) AT TIME ZONE o.time_zone)::date      AS business_date
FROM read_model.offices o
LEFT JOIN read_model.clock c ON true;

COMMENT ON VIEW   dashboard.business_dates               IS 'Offices, and the local date that days past due are counted to: that of the last tick.';
COMMENT ON COLUMN dashboard.business_dates.office_id     IS 'The office''s stable id.';
COMMENT ON COLUMN dashboard.business_dates.office        IS 'Short code of the office.';
COMMENT ON COLUMN dashboard.business_dates.office_title  IS 'Name of the office.';
COMMENT ON COLUMN dashboard.business_dates.currency      IS 'ISO 4217 code of the currency the office works in.';
COMMENT ON COLUMN dashboard.business_dates.time_zone     IS 'IANA time zone of the office.';
COMMENT ON COLUMN dashboard.business_dates.business_date IS 'The office''s local date.';

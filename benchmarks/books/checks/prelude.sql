-- What the checks see: $1 = the companies (null: all), $2 = the cut, before which all that was accepted has arrived.
--
-- Scans are looked at for as long as every plan keeps them, their ids for as long as the watermark does, both with a
-- margin. Rows that were written in one transaction are compared as they are; of what follows later there must be as
-- much as was accepted before the cut and not more than there is a reason for: on a quiet mesh that is the same.
WITH events AS (
    SELECT company_id, scan_id, scanner_id, kind, lane, region, accept_time,
        coalesce(scan_time, accept_time) AS count_time, accept_time < $2 AS arrived
    FROM ingest.scan_events
    WHERE accept_time > now() - interval '70 days' AND ($1::int[] IS NULL OR company_id = ANY($1))
),
ids AS (
    SELECT company_id, scan_id, replace(message_id::text, '-', '') AS message_id, accept_time, dead,
        accept_time < $2 AS arrived
    FROM ingest.scan_ids
    WHERE accept_time > now() - interval '30 days' AND ($1::int[] IS NULL OR company_id = ANY($1))
),
results AS (
    SELECT company_id, scan_id, kind, scanner_id, region, state, accept_time, accept_time < $2 AS arrived
    FROM enrichment.results
    WHERE accept_time > now() - interval '70 days' AND ($1::int[] IS NULL OR company_id = ANY($1))
),
letters AS (
    SELECT company_id, dead_letter_id, scan_id, consumer, reason, message_id, accept_time,
        revive_time IS NULL AS open
    FROM ingest.dead_letters WHERE $1::int[] IS NULL OR company_id = ANY($1)
),
ledger AS (
    SELECT company_id, event_id, period, meter, quantity, cell_time, kind, region, lane, scanners
    FROM billing.ledger WHERE $1::int[] IS NULL OR company_id = ANY($1)
),
-- A scan counts by its own time, at most a day after its acceptance: of these numbers every scan is among the events.
made AS (
    SELECT company_id, scan_id, scanner_id, events.kind, events.region, count_time, arrived, state
    FROM events
    LEFT JOIN (SELECT company_id, scan_id, accept_time, state FROM results) AS of_scan
        USING (company_id, scan_id, accept_time)
    WHERE count_time >= date_trunc('day', now(), 'UTC') - interval '68 days'
)

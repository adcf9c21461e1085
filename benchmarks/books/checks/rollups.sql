-- the statistics do not count what there is
,
-- Hours are counted for each scanner, minutes for all of them together.
scans AS (
    SELECT company_id, grain, date_trunc(grain, count_time, 'UTC') AS time,
        CASE grain WHEN 'hour' THEN scanner_id::text ELSE 'all' END AS scanner, kind, region, scan_id, state, arrived
    FROM made CROSS JOIN (VALUES ('hour'), ('minute')) AS grains (grain)
),
rollups AS (
    SELECT company_id, 'hour' AS grain, hour_time AS time, scanner_id::text AS scanner, kind, region,
        recorded, enriched, failed
    FROM ingest.rollup_hours
    UNION ALL
    SELECT company_id, 'minute', minute_time, 'all', kind, region, recorded, enriched, failed
    FROM ingest.rollup_minutes
)
SELECT company_id, format('%s %s scanner %s %s %s', grain, time, scanner, kind, region),
    format('counted %s recorded, %s enriched, %s failed; there are %s, %s, %s, the first %s',
        coalesce(counted.recorded, 0), coalesce(counted.enriched, 0), coalesce(counted.failed, 0),
        coalesce(real.recorded, 0), coalesce(real.enriched, 0), coalesce(real.failed, 0), real.first)
FROM (
    SELECT * FROM rollups
    WHERE time >= date_trunc('day', now(), 'UTC') - interval '68 days'
        AND ($1::int[] IS NULL OR company_id = ANY($1))
) AS counted
FULL JOIN (
    SELECT company_id, grain, time, scanner, kind, region,
        count(*) AS recorded,
        count(*) FILTER (WHERE state = 'ok') AS enriched,
        count(*) FILTER (WHERE state = 'ok' AND arrived) AS enriched_by_now,
        count(*) FILTER (WHERE state = 'failed') AS failed,
        count(*) FILTER (WHERE state = 'failed' AND arrived) AS failed_by_now,
        min(scan_id::text) AS first
    FROM scans
    GROUP BY company_id, grain, time, scanner, kind, region
) AS real USING (company_id, grain, time, scanner, kind, region)
WHERE coalesce(counted.recorded, 0) <> coalesce(real.recorded, 0)
    OR coalesce(counted.enriched, 0) NOT BETWEEN coalesce(enriched_by_now, 0) AND coalesce(real.enriched, 0)
    OR coalesce(counted.failed, 0) NOT BETWEEN coalesce(failed_by_now, 0) AND coalesce(real.failed, 0)

-- the statistics by the minute do not count what there is
SELECT company_id, format('minute %s %s %s', time, kind, region),
    format('counted %s recorded, %s enriched, %s failed; there are %s, %s, %s, the first %s',
        coalesce(counted.recorded, 0), coalesce(counted.enriched, 0), coalesce(counted.failed, 0),
        coalesce(real.recorded, 0), coalesce(real.enriched, 0), coalesce(real.failed, 0), real.first)
FROM (
    SELECT company_id, minute_time AS time, kind, region, recorded, enriched, failed
    FROM ingest.rollup_minutes
    WHERE minute_time >= date_trunc('day', now(), 'UTC') - interval '68 days'
        AND ($1::int[] IS NULL OR company_id = ANY($1))
) AS counted
FULL JOIN (
    SELECT company_id, date_trunc('minute', count_time, 'UTC') AS time, kind, region,
        count(*) AS recorded,
        count(*) FILTER (WHERE state = 'ok') AS enriched,
        count(*) FILTER (WHERE state = 'ok' AND arrived) AS enriched_by_now,
        count(*) FILTER (WHERE state = 'failed') AS failed,
        count(*) FILTER (WHERE state = 'failed' AND arrived) AS failed_by_now,
        min(scan_id::text) AS first
    FROM made
    GROUP BY company_id, time, kind, region
) AS real USING (company_id, time, kind, region)
WHERE coalesce(counted.recorded, 0) <> coalesce(real.recorded, 0)
    OR coalesce(counted.enriched, 0) NOT BETWEEN coalesce(enriched_by_now, 0) AND coalesce(real.enriched, 0)
    OR coalesce(counted.failed, 0) NOT BETWEEN coalesce(failed_by_now, 0) AND coalesce(real.failed, 0)

-- the ledger does not bill what is stored
SELECT company_id, format('cell %s scanner %s %s %s %s', cell_time, scanner_id, kind, region, lane),
    format('billed %s by events %s; stored %s, the first %s',
        coalesce(billed.quantity, 0), event_ids[1:5], coalesce(stored.quantity, 0), first)
FROM (
    SELECT company_id, scanner_id, cell_time, kind, region, lane,
        sum(of_scanner.quantity::bigint) AS quantity, array_agg(event_id) AS event_ids
    FROM ledger, jsonb_each_text(scanners) AS of_scanner (scanner_id, quantity)
    WHERE meter = 'scans' AND cell_time >= date_trunc('day', now(), 'UTC') - interval '69 days'
    GROUP BY company_id, scanner_id, cell_time, kind, region, lane
) AS billed
FULL JOIN (
    SELECT company_id, scanner_id::text, date_bin('10 s', accept_time, 'epoch') AS cell_time, kind, region, lane,
        count(*) AS quantity, count(*) FILTER (WHERE arrived) AS by_now, min(scan_id::text) AS first
    FROM events
    WHERE accept_time >= date_trunc('day', now(), 'UTC') - interval '69 days'
    GROUP BY company_id, scanner_id, cell_time, kind, region, lane
) AS stored USING (company_id, scanner_id, cell_time, kind, region, lane)
WHERE coalesce(billed.quantity, 0) NOT BETWEEN coalesce(by_now, 0) AND coalesce(stored.quantity, 0)

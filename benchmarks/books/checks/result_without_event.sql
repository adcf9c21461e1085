-- has a result of enrichment, and is not stored as that says
SELECT company_id, format('scan %s', scan_id),
    CASE WHEN events.scan_id IS NULL THEN 'not stored'
    ELSE format('stored as %s of %s in %s', events.kind, events.scanner_id, events.region) END
FROM results LEFT JOIN events USING (company_id, scan_id)
WHERE (events.kind, events.scanner_id, events.region, events.accept_time)
    IS DISTINCT FROM (results.kind, results.scanner_id, results.region, results.accept_time)

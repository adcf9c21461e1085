-- is stored, and has no result of enrichment
SELECT company_id, format('scan %s', scan_id), events.kind
FROM events LEFT JOIN results USING (company_id, scan_id, accept_time)
WHERE events.arrived AND results.scan_id IS NULL

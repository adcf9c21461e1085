-- failed in enrichment, and has no open dead letter
SELECT company_id, format('scan %s', scan_id), results.kind
FROM results
WHERE state = 'failed' AND arrived AND accept_time > now() - interval '30 days' AND NOT EXISTS (
    SELECT FROM letters
    WHERE (letters.company_id, letters.scan_id) = (results.company_id, results.scan_id)
        AND consumer = 'enrichment_' || results.kind AND open
)

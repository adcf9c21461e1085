-- has an open dead letter of enrichment, and did not fail there
SELECT company_id, format('scan %s', scan_id), format('letter %s', dead_letter_id)
FROM letters LEFT JOIN results USING (company_id, scan_id)
WHERE consumer LIKE 'enrichment\_%' AND scan_id IS NOT NULL AND open AND state IS DISTINCT FROM 'failed'
    AND letters.accept_time > now() - interval '69 days'

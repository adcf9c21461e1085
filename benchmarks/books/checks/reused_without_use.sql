-- has a dead letter because its id was used before, and it was not
SELECT company_id, format('scan %s', scan_id), format('letter %s', dead_letter_id)
FROM letters LEFT JOIN ingest.scan_ids AS used USING (company_id, scan_id)
WHERE reason = 'SCAN_ID_REUSED' AND used.scan_id IS NULL
    AND letters.accept_time > now() - interval '20 hours' -- the id is kept for 37 days, and refused again for 36

-- has a dead letter because its id was used before, and it was not
SELECT company_id, format('scan %s', scan_id), format('letter %s', dead_letter_id)
FROM letters LEFT JOIN ids USING (company_id, scan_id)
WHERE reason = 'SCAN_ID_REUSED' AND ids.scan_id IS NULL AND letters.accept_time > now() - interval '29 days'

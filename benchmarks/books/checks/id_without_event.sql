-- is in the deduplication, and not stored
SELECT company_id, format('scan %s', scan_id), format('message %s', message_id)
FROM ids LEFT JOIN events USING (company_id, scan_id)
WHERE NOT dead AND events.scan_id IS NULL

-- is stored, and not in the deduplication as it is stored
SELECT company_id, format('scan %s', scan_id),
    CASE WHEN ids.scan_id IS NULL THEN 'not there' WHEN ids.dead THEN 'dead there'
    ELSE format('accepted at %s, there at %s', events.accept_time, ids.accept_time) END
FROM events LEFT JOIN ids USING (company_id, scan_id)
WHERE events.accept_time > now() - interval '29 days'
    AND (ids.scan_id IS NULL OR ids.dead OR ids.accept_time <> events.accept_time)

-- is dead, and has no open dead letter
SELECT company_id, format('scan %s', scan_id), format('message %s', message_id)
FROM ids
WHERE dead AND arrived AND NOT EXISTS (
    SELECT FROM letters
    WHERE (letters.company_id, letters.scan_id, letters.message_id) = (ids.company_id, ids.scan_id, ids.message_id)
        AND consumer = 'ingest_recorder' AND reason <> 'SCAN_ID_REUSED' AND open
)

-- has an open dead letter of the recorder, and is not dead
SELECT company_id, format('scan %s', scan_id), format('letter %s', dead_letter_id)
FROM letters JOIN ids USING (company_id, scan_id)
WHERE consumer = 'ingest_recorder' AND reason <> 'SCAN_ID_REUSED' AND open AND NOT dead

-- is in another month than it was accepted in
SELECT company_id, format('usage event %s', event_id), format('%s, of %s', period, cell_time)
FROM ledger
WHERE period <> to_char(cell_time AT TIME ZONE 'UTC', 'YYYY-MM')

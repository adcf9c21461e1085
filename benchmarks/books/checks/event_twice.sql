-- is stored more than once
SELECT company_id, format('scan %s', scan_id), string_agg(accept_time::text, ', ')
FROM events GROUP BY company_id, scan_id
HAVING count(*) > 1 AND max(accept_time) - min(accept_time) < interval '35 days'

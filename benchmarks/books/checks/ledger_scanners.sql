-- is another quantity than its scanners add up to
SELECT company_id, format('usage event %s', event_id),
    format('%s; by scanner %s', quantity, scanners)
FROM ledger
WHERE quantity <> (SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(scanners))

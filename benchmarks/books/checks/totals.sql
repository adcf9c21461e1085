-- the total is not what the ledger adds up to
SELECT company_id, format('%s %s', period, meter),
    format('total %s, sum %s', coalesce(totals.quantity, 0), coalesce(added.quantity, 0))
FROM (
    SELECT company_id, period, meter, quantity
    FROM billing.totals WHERE $1::int[] IS NULL OR company_id = ANY($1)
) AS totals
FULL JOIN (
    SELECT company_id, period, meter, sum(quantity) AS quantity FROM ledger GROUP BY company_id, period, meter
) AS added USING (company_id, period, meter)
WHERE coalesce(totals.quantity, 0) <> coalesce(added.quantity, 0)

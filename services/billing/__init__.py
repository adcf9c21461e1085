"""Billing: what a company has subscribed to, what it has used, and what it owes for it.

Owns the schema `billing`. Consumes USAGE. Publishes plans and subscriptions (bucket `plans`), how much of the month is
in the ledger for certain (bucket `totals`), `quota.reached.v1` on CONTROL, and dead letters.

Promises: every usage event is in the ledger once, however often it comes; quotas, usage and invoices all come from the
ledger; what the watermark has passed is in the ledger, and it never goes back; a change of plan is told to everybody
before it is answered, and is told all the same when the process that made it is killed; a bucket that was lost and made
anew is told everything.

Where a line belongs: translating and delegating to the edge (`servicer_*`, and `consumer` for messages); telling and
counting on to the work behind it (`publisher`, `progress`, `subscribers` and their like, with `events` and
`wire` for their messages); SQL to the stores (`store_*`, on `tables`); rules to the nouns (all others), which know no transport and no
store.
"""

"""Ratelimit: how many scans may be accepted. Buckets by the minute, hour and day, and the month's quota.

Owns the schema `ratelimit` (overrides of limits) and the keys `{c:<company_id>}:limits:*` of Valkey. Reads the plans and
the ledger's totals from the buckets `plans` and `totals`, and asks billing for a total before it refuses by an old one.

Promises: a spend is decided and charged in one atomic step, whichever replica asks, and once for each `spend_id`; what is
refused is not charged; an override counts from the next call on at every replica; the quota is the ledger's total up to
a watermark and the cells granted after it, so what a duplicate or a lost refund took comes back when the watermark has
passed; what is not known never counts as used.

Where a line belongs: translating and delegating to the edge (`servicer_*`); deciding to `spending` and what it stands on
(`totals` `override_source` `upkeep` `directory`); SQL to `store_override`, Valkey to `buckets`, `valkey` and the functions in
`spend.lua`; rules to the nouns (`limits` `quota` `decision` `overrides`), which know no transport and no store.
"""

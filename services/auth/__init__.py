"""Auth: who may come in. Companies, users, scanners, API keys, sessions, audit events, and the edge's checks.

Owns the schema `auth`. Publishes every change of what a credential is worth on CONTROL (`company.changed.v1
scanner.changed.v1 user.changed.v1 apikey.revoked.v1 session.revoked.v1`) and a beat that proves the feed is alive
(`control.beat.v1`); follows the same stream, so that no replica trusts what another one has revoked. Hears from
billing which plan a company is on: its lane, and how many scanners in how many regions it may have.

Promises: a revocation holds at its own replica when its RPC answers OK and at every other one within a second of the
answer, and reaches them all the same when the process that made it is killed; what is revoked is never revived by a
cache; without the feed no cache is trusted.

Where a line belongs: translating and delegating to the edge (`check`, `servicer_*`); telling and resolving to the work
behind it (`control`, `resolver`, with `events` and `wire` for their messages); SQL and Valkey to the stores (`store_*`,
`cache`, on `tables`); rules to the nouns (all others), which know no transport and no store.
"""

"""Auth: who may come in. Companies, users, scanners, API keys, sessions, audit events, and the edge's checks.

Owns the schema `auth`. Publishes every change of what a credential is worth on CONTROL (`company.changed.v1
scanner.changed.v1 user.changed.v1 apikey.revoked.v1 session.revoked.v1`) and a beat that proves the feed is alive
(`control.beat.v1`); follows the same stream, so that no replica trusts what another one has revoked.

Promises: a revocation has reached every replica when its RPC answers OK, and reaches it all the same when the
process that made it is killed; what is revoked is never revived by a cache; without the feed no cache is trusted.
"""

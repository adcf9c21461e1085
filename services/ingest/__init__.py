"""Ingest: takes scans from devices, records each once, and answers what became of them.

Owns the path from a request to the stream SCANS and from there to the record: the schema `ingest` with the one
deduplication, scan events by day, rollups and dead letters. Publishes `scan.accepted.v1.<lane>`,
`scan.recorded.v1.<lane>.<kind>`, `usage.recorded.v1.<meter>` and `deadletter.written.v1`; takes SCANS, TALLY and
DEADLETTER.

Promises: a scan answered *accepted* is on disk in JetStream; it is recorded exactly once, whatever is killed meanwhile;
what follows from that is derived from the message and the rows it has won, so it has the same ids however often.

Two processes. `serve` is the door (`servicer`, `acceptor`, then `limiter` and `publisher`) and the queries
(`servicer_scan`, then `lookup` and `replayer`). `record` is `recording`: the workers of three queues (`recorder`,
`consumer_tally`, `consumer_dead_letter`) and `housekeeping`. SQL stands in the stores (`store_*`, on `tables`), rules in
the nouns (all others), which know no transport and no store.
"""

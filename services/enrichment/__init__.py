"""Enrichment: makes of each recorded scan, once, what its kind is for.

Owns the results by kind. Consumes `scan.recorded.v1.<lane>.<kind>`. Publishes `scan.enriched.v1.<kind>.<company>`,
`scan.tallied.v1` and `deadletter.written.v1`. Promises that a scan has one result for good, and that watchers, counts
and `GetEnrichment` all tell that one, whichever worker computed it and whatever was killed in between.
"""

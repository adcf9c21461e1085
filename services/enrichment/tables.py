"""The tables of the schema `enrichment`, as the queries see them; `migrations/` makes them, a test compares the two.

Row-level security shows a transaction the rows of the company it was begun for. The worker works for all companies at
once, as a role above the walls. The book of failures (`attempts`) is the chassis'.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, DateTime, Integer, LargeBinary, MetaData, Row, Table, Text, Uuid

AnyRow = Row[*tuple[Any, ...]]
"""A row of whichever columns."""

metadata = MetaData(schema="enrichment")

# `recorded_id` is the ScansRecorded event that won the row, `index` the scan's place in it. `result` is a serialised
# Enrichment with nothing in it but the kind's part; null if the scan failed. `tries` is 0 unless it did.
results = Table(
    "results",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("scan_id", Uuid, primary_key=True),
    Column("recorded_id", Uuid, nullable=False),
    Column("index", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("scanner_id", Uuid, nullable=False),
    Column("region", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("enrich_time", DateTime(timezone=True), nullable=False),
    Column("accept_time", DateTime(timezone=True), nullable=False),
    Column("result", LargeBinary),
)

attempts = Table(
    "attempts",
    metadata,
    Column("durable", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("change_time", DateTime(timezone=True), nullable=False),
)

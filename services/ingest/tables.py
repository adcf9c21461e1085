"""The tables of the schema `ingest`, as the queries see them; `migrations/` makes them, a test compares the two.

Every key of a tenant's table begins with the company, and row-level security shows a transaction the rows of the
company it was begun for. The recorder works for all companies at once, as a role above the walls.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    Uuid,
)

AnyRow = Row[*tuple[Any, ...]]
"""A row of whichever columns."""

metadata = MetaData(schema="ingest")

# The one deduplication: which message won a scan's id, by which of its scans. A dead scan keeps its row.
scan_ids = Table(
    "scan_ids",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("scan_id", Uuid, primary_key=True),
    Column("message_id", Uuid, nullable=False),
    Column("index", Integer, nullable=False),
    Column("digest", BigInteger, nullable=False),
    Column("accept_time", DateTime(timezone=True), nullable=False),
    Column("dead", Boolean, nullable=False),
)

# Partitioned by the day of `accept_time` (UTC), then by company. `content` is the serialised `ingest.v1.Scan` with
# nothing in it but what the client set.
scan_events = Table(
    "scan_events",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("accept_time", DateTime(timezone=True), primary_key=True),
    Column("scan_id", Uuid, primary_key=True),
    Column("scanner_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("scan_time", DateTime(timezone=True)),
    Column("content", LargeBinary, nullable=False),
)

rollup_minutes = Table(
    "rollup_minutes",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("minute_time", DateTime(timezone=True), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("recorded", BigInteger, nullable=False),
    Column("enriched", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
)

rollup_hours = Table(
    "rollup_hours",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("scanner_id", Uuid, primary_key=True),
    Column("hour_time", DateTime(timezone=True), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("recorded", BigInteger, nullable=False),
    Column("enriched", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
)

# Company 0 has the messages that could not even be read: nobody's, with their bytes in `payload`.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("dead_letter_id", Uuid, primary_key=True),
    Column("scan_id", Uuid),
    Column("consumer", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("fail_time", DateTime(timezone=True), nullable=False),
    Column("message_id", Text, nullable=False),
    Column("index", Integer, nullable=False),
    Column("scanner_id", Uuid),
    Column("region", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("accept_time", DateTime(timezone=True)),
    Column("scan", LargeBinary),
    Column("payload", LargeBinary, nullable=False),
    Column("revive_time", DateTime(timezone=True)),
)

# The events whose numbers are in the rollups.
tallied = Table(
    "tallied",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("count_time", DateTime(timezone=True), nullable=False),
)

# Below `first_sequence` every message of SCANS had been decided when scans accepted before `before_time` were first
# forgotten: one that is older in both and still turns up merely woke up late.
floors = Table(
    "floors",
    metadata,
    Column("epoch", Text, primary_key=True),
    Column("first_sequence", BigInteger, nullable=False),
    Column("before_time", DateTime(timezone=True), nullable=False),
)

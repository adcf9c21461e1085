"""The tables of the schema `billing`, as the queries see them; `migrations/` makes them, a test compares the two.

Every tenant's key begins with the company. Row-level security shows a request the rows of the company it acts on; the
ledger process, which works for all companies at once, stands above it.
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
    Sequence,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

AnyRow = Row[*tuple[Any, ...]]
"""A row of whichever columns."""

metadata = MetaData(schema="billing")

revisions = Sequence("revision", schema="billing", metadata=metadata)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("plan", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("start_time", DateTime(timezone=True), nullable=False),
    Column("pending_plan", Text),
    Column("revision", BigInteger, nullable=False),
    Column("change_time", DateTime(timezone=True), nullable=False),
    Column("published_revision", BigInteger, nullable=False),
    Column("published_epoch", Text, nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("meter", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("cell_time", DateTime(timezone=True), nullable=False),
    Column("period", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("scanners", JSONB, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("record_time", DateTime(timezone=True), nullable=False),
)

# The sum of the ledger by company, month and meter, kept in the transaction that writes it.
totals = Table(
    "totals",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("meter", Text, primary_key=True),
    Column("quantity", BigInteger, nullable=False),
)

thresholds = Table(
    "thresholds",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("percent", Integer, primary_key=True),
    Column("scan_quota", BigInteger, nullable=False),
    Column("reach_time", DateTime(timezone=True), nullable=False),
    Column("published", Boolean, nullable=False),
)

# One row, not a tenant's: how far the ledger is complete, and how far which bucket of totals has been told so.
watermarks = Table(
    "watermarks",
    metadata,
    Column("only_row", Boolean, primary_key=True),
    Column("watermark_time", DateTime(timezone=True), nullable=False),
    Column("told_watermark_time", DateTime(timezone=True), nullable=False),
    Column("told_time", DateTime(timezone=True), nullable=False),
    Column("told_epoch", Text, nullable=False),
)

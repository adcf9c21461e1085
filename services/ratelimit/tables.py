"""The tables of the schema `ratelimit`, as the queries see them; `migrations/` makes them, a test compares the two."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, Sequence, Table, Text, Uuid

metadata = MetaData(schema="ratelimit")

revisions = Sequence("revision", schema="ratelimit", metadata=metadata)
"""Drawn under the company's lock: of one company's changes, a greater number was committed later."""

overrides = Table(
    "overrides",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("scanner_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    # NULL: taken back. The row stays for its revision, else a company's revision would go backwards.
    Column("value", BigInteger),
    Column("revision", BigInteger, nullable=False),
    Column("change_time", DateTime(timezone=True), nullable=False),
)

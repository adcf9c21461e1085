"""The tables of the schema `auth`, as the queries see them; `migrations/` makes them, a test compares the two.

Every key begins with the company. Row-level security shows a transaction the rows of the company it was begun for
and takes no others; company 0, the platform, may besides read all companies and work off everybody's marks.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
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

AnyRow = Row[*tuple[Any, ...]]
"""A row of whichever columns."""

metadata = MetaData(schema="auth")

company_ids = Sequence("company_id", schema="auth", metadata=metadata)
revisions = Sequence("revision", schema="auth", metadata=metadata)
"""One sequence for all tables: a greater number was given out later."""

companies = Table(
    "companies",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("allowed_cidrs", ARRAY(Text), nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("revision", BigInteger, nullable=False),
)

# Not a tenant's: who signs in knows an email, not a company. Nothing but the way to the user stands in it.
emails = Table(
    "emails",
    metadata,
    Column("email", Text, primary_key=True),
    Column("company_id", Integer, nullable=False),
    Column("user_id", Uuid, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("user_id", Uuid, primary_key=True),
    Column("email", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("revision", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("session_id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("seed", LargeBinary, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("rotate_time", DateTime(timezone=True), nullable=False),
    Column("expire_time", DateTime(timezone=True), nullable=False),
    Column("revoke_time", DateTime(timezone=True)),
    Column("revision", BigInteger, nullable=False),
)

scanners = Table(
    "scanners",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("scanner_id", Uuid, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("firmware_version", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("delete_time", DateTime(timezone=True)),
    Column("last_seen_time", DateTime(timezone=True)),
    Column("revision", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("key_id", Uuid, primary_key=True),
    Column("scanner_id", Uuid, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("slow_hash", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("expire_time", DateTime(timezone=True)),
    Column("revoke_time", DateTime(timezone=True)),
    Column("last_used_time", DateTime(timezone=True)),
    Column("revision", BigInteger, nullable=False),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("audit_event_id", Uuid, primary_key=True),
    Column("event_time", DateTime(timezone=True), nullable=False),
    Column("user_id", Uuid),
    Column("role", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("fields", ARRAY(Text), nullable=False),
    Column("request_id", Text, nullable=False),
)

# Changes that are committed and not yet published.
marks = Table(
    "marks",
    metadata,
    Column("company_id", Integer, primary_key=True),
    Column("change_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("holder_id", Text, nullable=False),
    Column("credential_ids", ARRAY(Text), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("scanner_type", Text, nullable=False),
    Column("created", Boolean, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("change_time", DateTime(timezone=True), nullable=False),
    Column("due_time", DateTime(timezone=True), nullable=False),
    Column("claim_time", DateTime(timezone=True), nullable=False),
)

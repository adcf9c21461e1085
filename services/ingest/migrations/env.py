"""Runs ingest's migrations on the connection it is handed; the version table lives in ingest's own schema."""

from __future__ import annotations

from alembic import context

attributes = context.config.attributes
context.configure(connection=attributes["connection"], version_table_schema=attributes["schema"])
context.run_migrations()

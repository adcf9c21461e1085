"""Overrides of limits, each company behind its own wall."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_PARTITIONS = 8
_COMPANY = "nullif(current_setting('scanmesh.company_id', true), '')::int"

# scanner_id: the nil UUID stands for the whole company. value: in scans; NULL once the override is taken back.
_OVERRIDES = """
CREATE SEQUENCE ratelimit.revision;

CREATE TABLE ratelimit.overrides (
    company_id int NOT NULL CHECK (company_id > 0),
    scanner_id uuid NOT NULL,
    name text NOT NULL,
    value bigint CHECK (value >= 0),
    revision bigint NOT NULL,
    change_time timestamptz NOT NULL,
    PRIMARY KEY (company_id, scanner_id, name)
) PARTITION BY HASH (company_id)
"""

# What the service needs and nothing more: an override is taken back, its row stays. No process works for all companies.
_GRANTS = """
GRANT USAGE ON SCHEMA ratelimit TO ratelimit_app;
GRANT USAGE ON SEQUENCE ratelimit.revision TO ratelimit_app;
REVOKE ALL ON ALL TABLES IN SCHEMA ratelimit FROM ratelimit_app, ratelimit_worker;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA ratelimit FROM ratelimit_worker;
GRANT SELECT, INSERT, UPDATE ON ratelimit.overrides TO ratelimit_app
"""


def upgrade() -> None:
    _execute(_OVERRIDES)
    _wall("overrides")
    for index in range(_PARTITIONS):
        partition = f"overrides_{index}"
        op.execute(
            f"CREATE TABLE ratelimit.{partition} PARTITION OF ratelimit.overrides "
            f"FOR VALUES WITH (MODULUS {_PARTITIONS}, REMAINDER {index})"
        )
        # A table's policies do not guard its partitions: without any of their own, these show nothing when asked directly.
        _wall(partition)
    op.execute(
        "CREATE POLICY tenant ON ratelimit.overrides "
        f"USING (company_id = {_COMPANY}) WITH CHECK (company_id = {_COMPANY})"
    )
    _execute(_GRANTS)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a schema that has been deployed is not taken back")


def _execute(script: str) -> None:
    for statement in script.split(";"):  # asyncpg prepares each one, and prepares only one
        op.execute(statement)


def _wall(table: str) -> None:
    op.execute(f"ALTER TABLE ratelimit.{table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE ratelimit.{table} FORCE ROW LEVEL SECURITY")

"""What was made of each scan, each company behind its own wall, and the book of failures."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_PARTITIONS = 8
_COMPANY = "nullif(current_setting('scanmesh.company_id', true), '')::int"

_RESULTS = """
CREATE TABLE enrichment.results (
    company_id int NOT NULL,
    scan_id uuid NOT NULL,
    recorded_id uuid NOT NULL,
    index int NOT NULL,
    kind text NOT NULL,
    scanner_id uuid NOT NULL,
    region text NOT NULL,
    state text NOT NULL CHECK (state IN ('ok', 'failed')),
    tries int NOT NULL,
    enrich_time timestamptz NOT NULL,
    accept_time timestamptz NOT NULL,
    result bytea CHECK ((result IS NOT NULL) = (state = 'ok')),
    PRIMARY KEY (company_id, scan_id)
) PARTITION BY HASH (company_id)
"""

# Retention deletes by it, company by company.
_INDEX = "CREATE INDEX ON enrichment.results (company_id, accept_time)"

_ATTEMPTS = """
CREATE TABLE enrichment.attempts (
    durable text NOT NULL,
    message_id text NOT NULL,
    failures int NOT NULL,
    change_time timestamptz NOT NULL,
    PRIMARY KEY (durable, message_id)
)
"""

# Requests only read; the worker never rewrites a result but for a replay, and deletes what is beyond retention.
_GRANTS = """
GRANT USAGE ON SCHEMA enrichment TO enrichment_app, enrichment_worker;
REVOKE ALL ON ALL TABLES IN SCHEMA enrichment FROM enrichment_app, enrichment_worker;
GRANT SELECT ON enrichment.results TO enrichment_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON enrichment.results, enrichment.attempts TO enrichment_worker;
"""


def upgrade() -> None:
    op.execute(_RESULTS)
    for index in range(_PARTITIONS):
        _partition(index)
    op.execute(_INDEX)
    _wall("results")
    op.execute(
        f"CREATE POLICY tenant ON enrichment.results "
        f"USING (company_id = {_COMPANY}) WITH CHECK (company_id = {_COMPANY})"
    )
    op.execute(_ATTEMPTS)
    for statement in filter(
        str.strip, _GRANTS.split(";")
    ):  # asyncpg prepares each one, and prepares only one
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a schema that has been deployed is not taken back")


def _partition(index: int) -> None:
    op.execute(
        f"CREATE TABLE enrichment.results_{index} PARTITION OF enrichment.results "
        f"FOR VALUES WITH (MODULUS {_PARTITIONS}, REMAINDER {index})"
    )
    # A table's policies do not guard its partitions: without any of their own, these show nothing when asked directly.
    _wall(f"results_{index}")


def _wall(table: str) -> None:
    op.execute(f"ALTER TABLE enrichment.{table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE enrichment.{table} FORCE ROW LEVEL SECURITY")

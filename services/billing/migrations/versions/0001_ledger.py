"""Subscriptions, the ledger, its totals, thresholds and watermark, each company behind its own wall."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_PARTITIONS = 8
_COMPANY = "nullif(current_setting('scanmesh.company_id', true), '')::int"

# What is noted as told was told to the bucket of an epoch. Once that is lost and made anew, nothing of it counts.
_MESH_TABLES = """
CREATE SEQUENCE billing.revision;

CREATE TABLE billing.watermarks (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    watermark_time timestamptz NOT NULL,
    told_watermark_time timestamptz NOT NULL,
    told_time timestamptz NOT NULL,
    told_epoch text NOT NULL,
    CHECK (told_watermark_time <= watermark_time)
);
INSERT INTO billing.watermarks (watermark_time, told_watermark_time, told_time, told_epoch)
    VALUES (to_timestamp(0), to_timestamp(0), to_timestamp(0), '');

CREATE TABLE billing.attempts (
    durable text NOT NULL,
    message_id text NOT NULL,
    failures int NOT NULL,
    change_time timestamptz NOT NULL,
    PRIMARY KEY (durable, message_id)
);
"""

_TENANT_TABLES = {
    "subscriptions": """
        plan text NOT NULL,
        state text NOT NULL CHECK (state IN ('active', 'ended')),
        start_time timestamptz NOT NULL,
        pending_plan text,
        revision bigint NOT NULL,
        change_time timestamptz NOT NULL,
        published_revision bigint NOT NULL DEFAULT 0,
        published_epoch text NOT NULL DEFAULT '',
        PRIMARY KEY (company_id)
    """,
    # Range partitions by month would weaken the key: an event id is unique for the ledger's life.
    "ledger": """
        event_id uuid NOT NULL,
        meter text NOT NULL,
        quantity bigint NOT NULL CHECK (quantity > 0),
        cell_time timestamptz NOT NULL,
        period text NOT NULL,
        kind text NOT NULL,
        region text NOT NULL,
        lane text NOT NULL,
        scanners jsonb NOT NULL,
        digest bytea NOT NULL,
        record_time timestamptz NOT NULL,
        PRIMARY KEY (company_id, event_id)
    """,
    "totals": """
        period text NOT NULL,
        meter text NOT NULL,
        quantity bigint NOT NULL CHECK (quantity >= 0),
        PRIMARY KEY (company_id, period, meter)
    """,
    "thresholds": """
        period text NOT NULL,
        percent int NOT NULL,
        scan_quota bigint NOT NULL,
        reach_time timestamptz NOT NULL,
        published boolean NOT NULL DEFAULT false,
        PRIMARY KEY (company_id, period, percent)
    """,
}

# What the watermark passes, and what came late, is found for all companies at once: rows come nearly in the order of
# both times, so block ranges find them at next to no cost for the writer.
_INDEXES = """
CREATE INDEX ON billing.ledger (company_id, meter, cell_time);
CREATE INDEX ON billing.ledger USING brin (cell_time) WITH (autosummarize = on, pages_per_range = 16);
CREATE INDEX ON billing.ledger USING brin (record_time) WITH (autosummarize = on, pages_per_range = 16);
CREATE INDEX ON billing.subscriptions (company_id) WHERE published_revision < revision;
CREATE INDEX ON billing.subscriptions (published_epoch);
CREATE INDEX ON billing.thresholds (company_id) WHERE NOT published;
"""

# What the processes need and nothing more: the ledger is written, never rewritten, and requests only read it. A change
# of plan locks its company's total (hence the INSERT and UPDATE), so that neither it nor the ledger misses a threshold.
_GRANTS = """
REVOKE ALL ON ALL TABLES IN SCHEMA billing FROM billing_app, billing_worker;
GRANT USAGE ON SCHEMA billing TO billing_app, billing_worker;
GRANT USAGE ON SEQUENCE billing.revision TO billing_app;
GRANT SELECT ON billing.ledger, billing.watermarks TO billing_app;
GRANT SELECT, INSERT, UPDATE ON billing.subscriptions, billing.totals TO billing_app;
GRANT SELECT, INSERT ON billing.thresholds TO billing_app;
GRANT SELECT, INSERT ON billing.ledger TO billing_worker;
GRANT SELECT, INSERT, UPDATE ON billing.totals, billing.thresholds TO billing_worker;
GRANT SELECT, UPDATE ON billing.subscriptions, billing.watermarks TO billing_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON billing.attempts TO billing_worker;
"""


def upgrade() -> None:
    _execute(_MESH_TABLES)
    for table, columns in _TENANT_TABLES.items():
        op.execute(
            f"CREATE TABLE billing.{table} (company_id int NOT NULL, {columns}) PARTITION BY HASH (company_id)"
        )
        for index in range(_PARTITIONS):
            _partition(table, index)
    _execute(_INDEXES)
    for table in _TENANT_TABLES:
        _wall(table)
    _execute(_GRANTS)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a schema that has been deployed is not taken back")


def _execute(script: str) -> None:
    for statement in filter(str.strip, script.split(";")):  # asyncpg prepares each one, and prepares only one
        op.execute(statement)


def _partition(table: str, index: int) -> None:
    op.execute(
        f"CREATE TABLE billing.{table}_{index} PARTITION OF billing.{table} "
        f"FOR VALUES WITH (MODULUS {_PARTITIONS}, REMAINDER {index})"
    )
    # A table's policies do not guard its partitions: without any of their own, these show nothing when asked directly.
    op.execute(f"ALTER TABLE billing.{table}_{index} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE billing.{table}_{index} FORCE ROW LEVEL SECURITY")


def _wall(table: str) -> None:
    op.execute(f"ALTER TABLE billing.{table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE billing.{table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY tenant ON billing.{table} "
        f"USING (company_id = {_COMPANY}) WITH CHECK (company_id = {_COMPANY})"
    )

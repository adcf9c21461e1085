"""Deduplication, scan events by day, rollups, dead letters, and what the workers remember of their own doing."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_PARTITIONS = 8
_COMPANY = "nullif(current_setting('scanmesh.company_id', true), '')::int"

_TENANT_TABLES = {
    "scan_ids": """
        scan_id uuid NOT NULL,
        message_id uuid NOT NULL,
        index int NOT NULL,
        digest bigint NOT NULL,
        accept_time timestamptz NOT NULL,
        dead boolean NOT NULL,
        PRIMARY KEY (company_id, scan_id)
    """,
    "rollup_minutes": """
        minute_time timestamptz NOT NULL,
        kind text NOT NULL,
        region text NOT NULL,
        recorded bigint NOT NULL,
        enriched bigint NOT NULL,
        failed bigint NOT NULL,
        PRIMARY KEY (company_id, minute_time, kind, region)
    """,
    "rollup_hours": """
        scanner_id uuid NOT NULL,
        hour_time timestamptz NOT NULL,
        kind text NOT NULL,
        region text NOT NULL,
        recorded bigint NOT NULL,
        enriched bigint NOT NULL,
        failed bigint NOT NULL,
        PRIMARY KEY (company_id, scanner_id, hour_time, kind, region)
    """,
    "dead_letters": """
        dead_letter_id uuid NOT NULL,
        scan_id uuid,
        consumer text NOT NULL,
        reason text NOT NULL,
        tries int NOT NULL,
        fail_time timestamptz NOT NULL,
        message_id text NOT NULL,
        index int NOT NULL,
        scanner_id uuid,
        region text NOT NULL,
        lane text NOT NULL,
        accept_time timestamptz,
        scan bytea,
        payload bytea NOT NULL,
        revive_time timestamptz,
        PRIMARY KEY (company_id, dead_letter_id)
    """,
}

_SCAN_EVENTS = """
CREATE TABLE ingest.scan_events (
    company_id int NOT NULL,
    accept_time timestamptz NOT NULL,
    scan_id uuid NOT NULL,
    scanner_id uuid NOT NULL,
    kind text NOT NULL,
    lane text NOT NULL,
    region text NOT NULL,
    scan_time timestamptz,
    content bytea NOT NULL,
    PRIMARY KEY (company_id, accept_time, scan_id)
) PARTITION BY RANGE (accept_time);
CREATE INDEX ON ingest.scan_events (company_id, scan_id);
CREATE INDEX ON ingest.scan_events (company_id, scanner_id, accept_time, scan_id);
"""

_WORKERS_TABLES = """
CREATE TABLE ingest.tallied (event_id uuid PRIMARY KEY, count_time timestamptz NOT NULL);
CREATE TABLE ingest.floors (
    epoch text PRIMARY KEY,
    first_sequence bigint NOT NULL,
    before_time timestamptz NOT NULL
);
CREATE TABLE ingest.attempts (
    durable text NOT NULL,
    message_id text NOT NULL,
    failures int NOT NULL,
    change_time timestamptz NOT NULL,
    PRIMARY KEY (durable, message_id)
);
"""

_INDEXES = """
CREATE INDEX ON ingest.scan_ids (accept_time);
CREATE INDEX ON ingest.dead_letters (company_id, fail_time, dead_letter_id) WHERE revive_time IS NULL;
CREATE INDEX ON ingest.dead_letters (company_id, scan_id);
CREATE INDEX ON ingest.dead_letters (fail_time);
CREATE INDEX ON ingest.dead_letters (accept_time) WHERE consumer = 'ingest_recorder';
CREATE INDEX ON ingest.rollup_minutes (minute_time);
CREATE INDEX ON ingest.rollup_hours (hour_time);
CREATE INDEX ON ingest.tallied (count_time);
"""

# Days come and go while the recorder runs, which may not own tables: these two do it in the owner's name. A day is
# made aside and then attached, for that needs no lock that others feel; dropping one does, so it gives up soon and is
# tried again. Default privileges would open new tables to both roles, past the walls of `scan_events`.
_CREATE_DAY = """
CREATE FUNCTION ingest.create_day(day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text := 'scan_events_' || to_char(day, 'YYYYMMDD');
    part text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ingest.days'));
    IF to_regclass('ingest.' || name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format(
        'CREATE TABLE ingest.%I (LIKE ingest.scan_events INCLUDING ALL) PARTITION BY HASH (company_id)', name);
    FOR remainder IN 0..3 LOOP
        part := name || '_' || remainder;
        EXECUTE format(
            'CREATE TABLE ingest.%I PARTITION OF ingest.%I FOR VALUES WITH (MODULUS 4, REMAINDER %s)',
            part, name, remainder);
        EXECUTE format('ALTER TABLE ingest.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
        EXECUTE format('REVOKE ALL ON ingest.%I FROM ingest_app, ingest_worker', part);
    END LOOP;
    EXECUTE format('ALTER TABLE ingest.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('REVOKE ALL ON ingest.%I FROM ingest_app, ingest_worker', name);
    EXECUTE format(
        'ALTER TABLE ingest.scan_events ATTACH PARTITION ingest.%I FOR VALUES FROM (%L) TO (%L)',
        name, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
END $$
"""
_DROP_DAY = """
CREATE FUNCTION ingest.drop_day(day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ingest.days'));
    EXECUTE format('DROP TABLE IF EXISTS ingest.%I', 'scan_events_' || to_char(day, 'YYYYMMDD'));
END $$
"""

# What each needs and nothing more: requests only read; what was recorded is never rewritten, only deleted when it is
# too old.
_GRANTS = """
GRANT USAGE ON SCHEMA ingest TO ingest_app, ingest_worker;
REVOKE ALL ON ALL TABLES IN SCHEMA ingest FROM ingest_app, ingest_worker;
GRANT SELECT ON ingest.scan_ids, ingest.scan_events, ingest.rollup_minutes, ingest.rollup_hours,
    ingest.dead_letters TO ingest_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.scan_ids, ingest.rollup_minutes, ingest.rollup_hours,
    ingest.dead_letters, ingest.attempts TO ingest_worker;
GRANT SELECT, INSERT, UPDATE ON ingest.floors TO ingest_worker;
GRANT SELECT, INSERT, DELETE ON ingest.scan_events, ingest.tallied TO ingest_worker;
REVOKE ALL ON FUNCTION ingest.create_day, ingest.drop_day FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ingest.create_day, ingest.drop_day TO ingest_worker;
"""


def upgrade() -> None:
    for table, columns in _TENANT_TABLES.items():
        op.execute(
            f"CREATE TABLE ingest.{table} (company_id int NOT NULL, {columns}) PARTITION BY HASH (company_id)"
        )
        for index in range(_PARTITIONS):
            _partition(table, index)
    _execute(_SCAN_EVENTS)
    _execute(_WORKERS_TABLES)
    _execute(_INDEXES)
    for table in (*_TENANT_TABLES, "scan_events"):
        _wall(table)
    op.execute(_CREATE_DAY)
    op.execute(_DROP_DAY)
    _execute(_GRANTS)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a schema that has been deployed is not taken back")


def _execute(script: str) -> None:
    for statement in filter(str.strip, script.split(";")):  # asyncpg prepares each one, and prepares only one
        op.execute(statement)


def _partition(table: str, index: int) -> None:
    op.execute(
        f"CREATE TABLE ingest.{table}_{index} PARTITION OF ingest.{table} "
        f"FOR VALUES WITH (MODULUS {_PARTITIONS}, REMAINDER {index})"
    )
    # A table's policies do not guard its partitions: without any of their own, these show nothing when asked directly.
    op.execute(f"ALTER TABLE ingest.{table}_{index} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE ingest.{table}_{index} FORCE ROW LEVEL SECURITY")


def _wall(table: str) -> None:
    op.execute(f"ALTER TABLE ingest.{table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE ingest.{table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY tenant ON ingest.{table} USING (company_id = {_COMPANY}) WITH CHECK (company_id = {_COMPANY})"
    )

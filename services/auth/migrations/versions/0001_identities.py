"""Companies, users, sessions, scanners, API keys, audit events and marks, each company behind its own wall."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_PARTITIONS = 8
_COMPANY = "nullif(current_setting('scanmesh.company_id', true), '')::int"

_COMPANIES = """
CREATE SEQUENCE auth.revision;
CREATE SEQUENCE auth.company_id AS int;

CREATE TABLE auth.companies (
    company_id int PRIMARY KEY CHECK (company_id > 0),
    display_name text NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'suspended')),
    region text NOT NULL,
    allowed_cidrs text[] NOT NULL,
    create_time timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT nextval('auth.revision')
);

CREATE TABLE auth.emails (
    email text PRIMARY KEY,
    company_id int NOT NULL,
    user_id uuid NOT NULL
);
"""

_TENANT_TABLES = {
    "users": """
        user_id uuid NOT NULL,
        email text NOT NULL,
        role text NOT NULL CHECK (role IN ('viewer', 'admin', 'platform_admin')),
        status text NOT NULL CHECK (status IN ('active', 'disabled')),
        password_hash text NOT NULL,
        create_time timestamptz NOT NULL,
        revision bigint NOT NULL DEFAULT nextval('auth.revision'),
        CHECK ((role = 'platform_admin') = (company_id = 0)),
        PRIMARY KEY (company_id, user_id)
    """,
    "sessions": """
        session_id uuid NOT NULL,
        user_id uuid NOT NULL,
        seed bytea NOT NULL,
        generation int NOT NULL,
        rotate_time timestamptz NOT NULL,
        expire_time timestamptz NOT NULL,
        revoke_time timestamptz,
        revision bigint NOT NULL DEFAULT nextval('auth.revision'),
        PRIMARY KEY (company_id, session_id),
        FOREIGN KEY (company_id, user_id) REFERENCES auth.users
    """,
    "scanners": """
        scanner_id uuid NOT NULL,
        display_name text NOT NULL,
        type text NOT NULL CHECK (type IN ('handheld', 'vehicle', 'agent', 'dock', 'fixed')),
        location text NOT NULL,
        region text NOT NULL,
        firmware_version text NOT NULL,
        status text NOT NULL CHECK (status IN ('active', 'disabled')),
        create_time timestamptz NOT NULL,
        delete_time timestamptz,
        last_seen_time timestamptz,
        revision bigint NOT NULL DEFAULT nextval('auth.revision'),
        PRIMARY KEY (company_id, scanner_id),
        FOREIGN KEY (company_id) REFERENCES auth.companies
    """,
    "api_keys": """
        key_id uuid NOT NULL,
        scanner_id uuid NOT NULL,
        digest bytea NOT NULL,
        slow_hash text NOT NULL,
        create_time timestamptz NOT NULL,
        expire_time timestamptz,
        revoke_time timestamptz,
        last_used_time timestamptz,
        revision bigint NOT NULL DEFAULT nextval('auth.revision'),
        PRIMARY KEY (company_id, key_id),
        UNIQUE (company_id, digest),
        FOREIGN KEY (company_id, scanner_id) REFERENCES auth.scanners
    """,
    "audit_events": """
        audit_event_id uuid NOT NULL,
        event_time timestamptz NOT NULL,
        user_id uuid,
        role text NOT NULL,
        method text NOT NULL,
        resource_id text NOT NULL,
        fields text[] NOT NULL,
        request_id text NOT NULL,
        PRIMARY KEY (company_id, audit_event_id)
    """,
    "marks": """
        change_id uuid NOT NULL,
        kind text NOT NULL,
        holder_id text NOT NULL,
        credential_ids text[] NOT NULL,
        active boolean NOT NULL,
        scanner_type text NOT NULL,
        created boolean NOT NULL,
        revision bigint NOT NULL,
        change_time timestamptz NOT NULL,
        due_time timestamptz NOT NULL,
        claim_time timestamptz NOT NULL,
        PRIMARY KEY (company_id, change_id)
    """,
}

_INDEXES = """
CREATE INDEX ON auth.sessions (company_id, user_id);
CREATE INDEX ON auth.api_keys (company_id, scanner_id);
CREATE INDEX ON auth.marks (due_time);
"""

# What the service needs and nothing more: the trail is written, never rewritten; a scanner is hidden, its row stays.
_GRANTS = """
GRANT USAGE ON SCHEMA auth TO auth_app;
GRANT USAGE ON SEQUENCE auth.revision, auth.company_id TO auth_app;
REVOKE ALL ON ALL TABLES IN SCHEMA auth FROM auth_app;
GRANT SELECT, INSERT, UPDATE ON auth.companies, auth.users, auth.scanners, auth.api_keys TO auth_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON auth.sessions, auth.marks TO auth_app;
GRANT SELECT, INSERT ON auth.emails, auth.audit_events TO auth_app;
"""


def upgrade() -> None:
    _execute(_COMPANIES)
    for table, columns in _TENANT_TABLES.items():
        op.execute(
            f"CREATE TABLE auth.{table} (company_id int NOT NULL, {columns}) PARTITION BY HASH (company_id)"
        )
        for index in range(_PARTITIONS):
            _partition(table, index)
    _execute(_INDEXES)
    for table in ("companies", *_TENANT_TABLES):
        _wall(table)
    # Company 0 is the platform: it may list all companies, and work off the marks of all of them.
    op.execute(f"CREATE POLICY platform ON auth.companies FOR SELECT USING ({_COMPANY} = 0)")
    op.execute(f"CREATE POLICY platform ON auth.marks USING ({_COMPANY} = 0)")
    _execute(_GRANTS)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a schema that has been deployed is not taken back")


def _execute(script: str) -> None:
    for statement in filter(str.strip, script.split(";")):  # asyncpg prepares each one, and prepares only one
        op.execute(statement)


def _partition(table: str, index: int) -> None:
    op.execute(
        f"CREATE TABLE auth.{table}_{index} PARTITION OF auth.{table} "
        f"FOR VALUES WITH (MODULUS {_PARTITIONS}, REMAINDER {index})"
    )
    # A table's policies do not guard its partitions: without any of their own, these show nothing when asked directly.
    op.execute(f"ALTER TABLE auth.{table}_{index} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE auth.{table}_{index} FORCE ROW LEVEL SECURITY")


def _wall(table: str) -> None:
    op.execute(f"ALTER TABLE auth.{table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE auth.{table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY tenant ON auth.{table} USING (company_id = {_COMPANY}) WITH CHECK (company_id = {_COMPANY})"
    )

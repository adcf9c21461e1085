"""The SQL that makes roles and schemas: per service an owner, an app and a worker; run at every start.

Passwords go in as SCRAM verifiers, not in clear: PostgreSQL keeps the text of such statements in its log (on an error)
and in pg_stat_statements.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from string import Template
from typing import Protocol

_ITERATIONS = 4096  # PostgreSQL's own scram_iterations
_SALT_BYTES = 16

# Shorter than the 10 s after which a message is delivered again: a stopped process cannot hold rows longer than that.
_IDLE_IN_TRANSACTION = "5s"
_LOCK = "4s"
_FLAGS: Mapping[str, str] = {
    "owner": "NOBYPASSRLS",  # migrations; row-level security is forced on it as well
    "app": "NOBYPASSRLS",  # requests, always in the name of one company
    "worker": "BYPASSRLS",  # recorder and closing, which work for all companies at once
}


_DATABASE_SQL = Template(
    """
SELECT 'CREATE DATABASE $database' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '$database') \\gexec
\\connect $database
REVOKE ALL ON DATABASE $database, postgres, template1 FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
"""
)
_ROLE_SQL = Template(
    """
SELECT 'CREATE ROLE $role' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$role') \\gexec
ALTER ROLE $role LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION $flag PASSWORD '$verifier';
ALTER ROLE $role SET search_path = $service;
ALTER ROLE $role SET idle_in_transaction_session_timeout = '$idle_in_transaction';
ALTER ROLE $role SET lock_timeout = '$lock';
GRANT CONNECT, TEMPORARY ON DATABASE $database TO $role;
"""
)
_SCHEMA_SQL = Template(
    """
CREATE SCHEMA IF NOT EXISTS ${service} AUTHORIZATION ${service}_owner;
GRANT USAGE ON SCHEMA ${service} TO ${service}_app, ${service}_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE ${service}_owner IN SCHEMA ${service}
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${service}_app, ${service}_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE ${service}_owner IN SCHEMA ${service}
    GRANT USAGE, SELECT ON SEQUENCES TO ${service}_app, ${service}_worker;
"""
)


class Passwords(Protocol):
    """Answers a password by name; tests give a plain dictionary."""

    def __getitem__(self, name: str, /) -> str: ...


def script(database: str, services: Sequence[str], passwords: Passwords) -> str:
    """Answer what psql is to run as superuser: made to be run again and again."""
    statements = [_DATABASE_SQL.substitute(database=database)]
    for service in services:
        statements += [_role(database, service, kind, passwords) for kind in _FLAGS]
        statements.append(_SCHEMA_SQL.substitute(service=service))
    return "".join(statements)


def _role(database: str, service: str, kind: str, passwords: Passwords) -> str:
    role = f"{service}_{kind}"
    return _ROLE_SQL.substitute(
        database=database,
        service=service,
        role=role,
        flag=_FLAGS[kind],
        verifier=scram_verifier(passwords[f"postgres.{role}"], salt=_salt(role)),
        idle_in_transaction=_IDLE_IN_TRANSACTION,
        lock=_LOCK,
    )


def scram_verifier(password: str, *, salt: bytes) -> str:
    """Answer what PostgreSQL stores for a password (RFC 5803, SCRAM-SHA-256)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def _salt(role: str) -> bytes:
    """Answer a salt that stays the same, so that a restart changes nothing; the passwords are random anyway."""
    return hashlib.sha256(role.encode()).digest()[:_SALT_BYTES]

"""Real servers for a whole test run; a conftest imports the ones that its tests ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from services.chassis import database
from tests.servers.postgres import MIGRATIONS, PostgresServer
from tests.servers.valkey import ValkeyServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run PostgreSQL with every service's tables."""
    server = PostgresServer()
    try:
        server.create()
        for service, migrations in MIGRATIONS.items():
            if migrations.is_dir():
                asyncio.run(database.migrate(server.url(f"{service}_owner"), migrations, schema=service))
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Run Valkey."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    server.start()
    try:
        yield server
    finally:
        server.stop()

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from services.chassis.identity import Signer
from tests.fakes.auth import SettableClock
from tests.rpc.ratelimit.replica import Replica, Site, running
from tests.servers.fixtures import postgres, valkey  # noqa: F401 - fixtures
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer

_companies = itertools.count(700_000)


@pytest.fixture(scope="session")
def site(
    signer: Signer,
    postgres: PostgresServer,  # noqa: F811
    valkey: ValkeyServer,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    jwks = tmp_path_factory.mktemp("keys") / "jwks.json"
    jwks.write_text(json.dumps(signer.jwks()))
    return Site.create(signer, jwks, postgres, valkey)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
async def start(site: Site, clock: SettableClock) -> AsyncIterator[object]:
    """Start replicas, as many as the test asks for."""
    async with AsyncExitStack() as stack:

        async def started() -> Replica:
            return await stack.enter_async_context(running(site, clock))

        yield started


@pytest.fixture
async def ratelimit(start) -> Replica:
    return await start()


@pytest.fixture
def new_company() -> Callable[[], int]:
    """Answer the id of a company that nobody has spent for."""
    return lambda: next(_companies)


@pytest.fixture
def company_id(new_company: Callable[[], int]) -> int:
    """A company that no other test has."""
    return new_company()


@pytest.fixture
def scanner_id(site: Site, company_id: int) -> str:
    """A dock scanner of that company."""
    return site.scanner(company_id)

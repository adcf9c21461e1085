"""What still works when something auth stands on is away, and how the rest fails."""

from __future__ import annotations

import pytest
from scanmesh.auth.v1 import auth_pb2

from services.chassis.errors import Reason, Unavailable
from tests.rpc.auth.replica import denied, failure


@pytest.fixture
def no_database(site):
    """Take the database away when called; it is back after the test."""
    yield site.postgres.stop
    site.postgres.start()


async def test_a_key_known_here_goes_on_without_the_database(auth, no_database):
    made = await auth.scanner(await auth.company())
    assert await auth.admits(made.api_key)
    no_database()
    assert await auth.admits(made.api_key)


async def test_a_key_known_to_another_replica_goes_on_without_the_database(auth, start, no_database):
    made = await auth.scanner(await auth.company())
    assert await auth.admits(made.api_key)
    other = await start()
    no_database()
    assert await other.admits(made.api_key)


async def test_a_key_nobody_knows_is_answered_503_without_the_database(auth, no_database):
    made = await auth.scanner(await auth.company())
    no_database()
    assert (await auth.check(x_api_key=made.api_key)).status == 503
    assert await auth.is_live()


async def test_a_malformed_key_needs_no_database(auth, no_database):
    no_database()
    assert denied(await auth.check(x_api_key="kmp_scanner_1_x")) == (401, "CREDENTIALS_INVALID")


async def test_operators_fail_cleanly_without_the_database(auth, no_database):
    company_id = await auth.company()
    no_database()
    error = await failure(
        auth.companies.GetCompany(auth_pb2.GetCompanyRequest(company_id=company_id), **auth.platform)
    )
    assert isinstance(error, Unavailable)
    assert error.reason is Reason.DEPENDENCY_UNAVAILABLE
    assert isinstance(await failure(auth.sign_in("nobody@example.com")), Unavailable)


async def test_a_replica_starts_without_the_database(start, no_database):
    no_database()
    auth = await start()
    assert (await auth.sessions.GetJwks(auth_pb2.GetJwksRequest())).data


@pytest.mark.parametrize("take_away", ["stop", "freeze"])
async def test_keys_are_read_from_the_database_without_valkey(auth, start, site, take_away):
    made = await auth.scanner(await auth.company())
    getattr(site.valkey, take_away)()
    try:
        assert await auth.admits(made.api_key)
        other = await start()
        assert await other.admits(made.api_key)
    finally:
        site.valkey.thaw() if take_away == "freeze" else site.valkey.start()


async def test_keys_are_read_from_the_database_without_the_bus(auth, bus):
    bus.up = False
    made = await auth.scanner(await auth.company())
    assert await auth.admits(made.api_key)

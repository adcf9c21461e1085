"""What one replica revokes, the others refuse, whatever fails or dies in between."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from google.protobuf.duration_pb2 import Duration
from scanmesh.auth.v1 import auth_pb2, events_pb2

from services.auth import audit
from services.auth.store_scanner import ScannerStore
from services.chassis.errors import Reason, Unavailable
from services.chassis.identity import Role
from services.chassis.subjects import API_KEYS_REVOKED, SCANNER_CHANGED
from tests.fakes.auth import SettableClock
from tests.rpc.auth.replica import failure
from tests.servers.polling import eventually


@pytest.fixture
async def other(start):
    return await start()


async def revoke(auth, made):
    request = auth_pb2.RevokeApiKeysRequest(
        company_id=made.scanner.company_id, scanner_id=made.scanner.scanner_id
    )
    return await auth.scanners.RevokeApiKeys(request, **auth.platform)


async def refuses(replica, api_key):
    async def refused():
        return not await replica.admits(api_key)

    await eventually(refused, "the key to be refused")


async def test_a_key_revoked_at_one_replica_is_refused_by_the_other(auth, other):
    made = await auth.scanner(await auth.company())
    assert await other.admits(made.api_key)
    assert (await revoke(auth, made)).revoked_count == 1
    await refuses(other, made.api_key)


async def test_a_company_suspended_at_one_replica_is_refused_by_the_other(auth, other):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    assert await other.admits(made.api_key)
    request = auth_pb2.UpdateCompanyRequest(company_id=company_id)
    request.company.status = auth_pb2.COMPANY_STATUS_SUSPENDED
    await auth.companies.UpdateCompany(request, **auth.platform)
    await refuses(other, made.api_key)


async def test_foreign_bytes_in_the_feed_stop_nobody(auth, other, bus):
    made = await auth.scanner(await auth.company())
    assert await other.admits(made.api_key)
    await bus.publish(API_KEYS_REVOKED, b"\xff\xff", message_id="foreign", deadline=0)
    await revoke(auth, made)
    await refuses(other, made.api_key)


async def test_what_a_killed_replica_left_behind_is_published_by_another(auth, other, bus, clock):
    made = await auth.scanner(await auth.company())
    assert await other.admits(made.api_key)
    entry = audit.Entry("", Role.PLATFORM_ADMIN, "test", clock(), request_id="")
    scanner_id = UUID(made.scanner.scanner_id)
    # Committed, and then nothing more is heard of the process that did it.
    await ScannerStore(auth.db).revoke_keys(made.scanner.company_id, scanner_id, entry)
    await refuses(other, made.api_key)
    assert API_KEYS_REVOKED in {event.subject for event in bus.published()}


@pytest.fixture
async def fast(start, clock):
    """A replica whose clock is five minutes ahead."""
    ahead = SettableClock(clock() + timedelta(minutes=5))
    return await start(ahead)


async def test_what_a_killed_replica_with_a_fast_clock_left_behind_is_published_at_once(auth, fast, clock):
    made = await auth.scanner(await auth.company())
    assert await auth.admits(made.api_key)
    entry = audit.Entry("", Role.PLATFORM_ADMIN, "test", clock() + timedelta(minutes=5), request_id="")
    await ScannerStore(fast.db).revoke_keys(made.scanner.company_id, UUID(made.scanner.scanner_id), entry)
    await fast.stop()
    await refuses(auth, made.api_key)


async def test_a_replica_with_a_slow_clock_tells_too_that_a_revocation_is_not_published(auth, fast, bus):
    company_id = await auth.company()
    made, other = await auth.scanner(company_id), await auth.scanner(company_id)
    await revoke(auth, other)  # and with it, all that is new is published: nothing else is left to fail on
    bus.up = False
    await failure(revoke(fast, made))
    assert isinstance(await failure(revoke(auth, made)), Unavailable)


async def test_a_revocation_that_cannot_be_published_says_so_and_holds(auth, bus):
    made = await auth.scanner(await auth.company())
    assert await auth.admits(made.api_key)
    bus.up = False
    error = await failure(revoke(auth, made))
    assert isinstance(error, Unavailable)
    assert error.reason is Reason.DEPENDENCY_UNAVAILABLE
    assert error.retry_delay == timedelta(seconds=1)
    assert not await auth.admits(made.api_key)


async def test_making_a_revocation_again_tells_when_it_has_reached_everybody(auth, other, bus):
    made = await auth.scanner(await auth.company())
    bus.up = False
    await failure(revoke(auth, made))
    assert isinstance(await failure(revoke(auth, made)), Unavailable)
    bus.up = True
    assert (await revoke(auth, made)).revoked_count == 0
    await refuses(other, made.api_key)


async def test_a_deletion_that_was_not_published_is_published_by_its_repetition(auth, bus):
    made = await auth.scanner(await auth.company())
    request = auth_pb2.DeleteScannerRequest(
        company_id=made.scanner.company_id, scanner_id=made.scanner.scanner_id
    )
    bus.up = False
    for _ in range(2):
        assert isinstance(await failure(auth.scanners.DeleteScanner(request, **auth.platform)), Unavailable)


async def test_a_replica_without_beats_asks_the_database_each_time(auth, other, bus, clock, site):
    made = await auth.scanner(await auth.company())
    assert await other.admits(made.api_key)
    bus.up = False
    clock.advance(timedelta(seconds=2))
    await failure(revoke(auth, made))  # nobody can be told
    assert not await other.admits(made.api_key)


async def test_a_revocation_reaches_the_others_while_valkey_is_down(auth, other, bus, site):
    made = await auth.scanner(await auth.company())
    assert await other.admits(made.api_key)
    site.valkey.stop()
    try:
        assert isinstance(await failure(revoke(auth, made)), Unavailable)
        assert API_KEYS_REVOKED in {event.subject for event in bus.published()}
        await refuses(other, made.api_key)
    finally:
        site.valkey.start()
    assert (await revoke(auth, made)).revoked_count == 0


async def test_the_end_of_a_rotated_key_is_published_when_it_comes(auth, bus):
    made = await auth.scanner(await auth.company())
    request = auth_pb2.RotateApiKeyRequest(
        company_id=made.scanner.company_id,
        scanner_id=made.scanner.scanner_id,
        overlap=Duration(seconds=600),
    )
    await auth.scanners.RotateApiKey(request, **auth.platform)

    def of_scanner(subject, message):
        events = [message.FromString(event.payload) for event in bus.published() if event.subject == subject]
        return [event for event in events if event.scanner_id == made.scanner.scanner_id]

    # Now the others learn that the scanner's keys have an end; it is still ACTIVE, so nobody cuts its streams.
    assert [event.status for event in of_scanner(SCANNER_CHANGED, events_pb2.ScannerChanged)] == [
        auth_pb2.SCANNER_STATUS_ACTIVE,
        auth_pb2.SCANNER_STATUS_ACTIVE,
    ]
    assert not of_scanner(API_KEYS_REVOKED, events_pb2.ApiKeysRevoked)
    company = {"company_id": made.scanner.company_id}
    earlier = sa.text("UPDATE auth.marks SET due_time = due_time - interval '600 s'")
    async with auth.db.transaction(**company) as connection:  # the database's clock decides when it has come
        await connection.execute(earlier)

    async def published():
        return bool(of_scanner(API_KEYS_REVOKED, events_pb2.ApiKeysRevoked))

    await eventually(published, "the end of the key to be published")


async def test_a_change_of_a_name_needs_no_bus(auth, bus):
    made = await auth.scanner(await auth.company())
    bus.up = False
    request = auth_pb2.UpdateScannerRequest(
        company_id=made.scanner.company_id, scanner_id=made.scanner.scanner_id
    )
    request.scanner.display_name = "Gate 2"
    changed = await auth.scanners.UpdateScanner(request, **auth.platform)
    assert changed.scanner.display_name == "Gate 2"

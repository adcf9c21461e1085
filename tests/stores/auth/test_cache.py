"""The shared tier on a real Valkey, and the whole way from a key to its record through it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.auth.credentials import COMPANY, Credential
from services.auth.keys import Keyring
from services.auth.resolver import CredentialUnknown, Resolver
from services.auth.revocations import Revocations
from services.chassis.errors import Unavailable
from services.chassis.identity import Role
from services.chassis.ids import uuid7


@pytest.fixture
def credential():
    return Credential(
        company_id=7,
        credential_id=str(uuid7()),
        holder_id=str(uuid7()),
        role=Role.SCANNER,
        scanner_type="dock",
        region="local",
        company_active=True,
        holder_active=True,
        allowed_cidrs=("10.0.0.0/8",),
        expire_time=None,
        company_revision=10,
        holder_revision=20,
        revision=30,
    )


@pytest.fixture
def name():
    return f"scanner:auth:{uuid7()}"


@pytest.fixture(autouse=True)
def empty(valkey):
    with valkey.inspect() as client:
        client.flushall()


async def test_a_record_is_kept_for_an_hour(shared, valkey, name, credential):
    assert await shared.get(name) is None
    await shared.put(name, credential)
    assert await shared.get(name) == credential
    with valkey.inspect() as client:
        assert 3_590 <= client.ttl(name) <= 3_600


async def test_an_older_record_never_replaces_a_newer_one(shared, name, credential):
    newer = replace(credential, holder_revision=21, region="eu")
    await shared.put(name, newer)
    await shared.put(name, credential)
    assert await shared.get(name) == newer
    await shared.put(name, replace(newer, revision=31))
    assert (await shared.get(name)).revision == 31


@pytest.mark.parametrize(("subject", "revision"), [("company", 10), ("holder", 20), ("credential", 30)])
async def test_a_change_of_any_of_its_rows_outdates_a_record(shared, name, credential, subject, revision):
    subjects = {"company": COMPANY, "holder": credential.holder_id, "credential": credential.credential_id}
    await shared.put(name, credential)
    await shared.announce(7, [subjects[subject]], revision)
    assert await shared.get(name) == credential  # it has that change
    await shared.announce(7, [subjects[subject]], revision + 1)
    assert await shared.get(name) is None
    await shared.announce(7, [subjects[subject]], revision)
    assert await shared.get(name) is None  # an older change, published late, takes nothing back


async def test_a_change_is_of_its_own_company_only(shared, name, credential):
    await shared.put(name, credential)
    await shared.announce(8, [COMPANY], 99)
    assert await shared.get(name) == credential


async def test_a_change_is_remembered_for_two_hours_each_for_itself(shared, valkey, credential):
    await shared.announce(7, [COMPANY, credential.credential_id], 11)
    with valkey.inspect() as client:
        remaining = client.execute_command(
            "HTTL", "{c:7}:revoked", "FIELDS", 2, "company", credential.credential_id
        )
    assert all(7_190 <= seconds <= 7_200 for seconds in remaining)


async def test_the_record_of_another_version_is_a_miss(shared, valkey, name, credential):
    with valkey.inspect() as client:
        client.set(name, b'60:{"form":1,"company":7}')
        assert await shared.get(name) is None
        client.set(name, b"60:nonsense")
        assert await shared.get(name) is None


async def test_a_valkey_that_is_away_is_a_miss_but_never_swallows_a_change(valkey, shared, name, credential):
    await shared.put(name, credential)
    valkey.stop()
    try:
        assert await shared.get(name) is None
        await shared.put(name, credential)
        with pytest.raises(Unavailable):
            await shared.announce(7, [COMPANY], 11)
    finally:
        valkey.start()


async def test_nobody_waits_for_a_valkey_that_does_not_answer_however_many_ask(
    valkey, shared, name, credential
):
    await shared.put(name, credential)
    await asyncio.gather(*(shared.get(name) for _ in range(64)))  # all its connections are made
    valkey.freeze()
    try:
        async with asyncio.timeout(1):
            assert set(await asyncio.gather(*(shared.get(name) for _ in range(200)))) == {None}
    finally:
        valkey.thaw()


class PausedStore:
    """A database whose answer to the first question is on its way until it is let through."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.asked = asyncio.Event()
        self.let_through = asyncio.Event()

    async def by_key(self, key):
        answer = self._answers.pop(0)
        self.asked.set()
        await self.let_through.wait()
        return answer


async def test_a_fill_that_began_before_a_revocation_does_not_resurrect_the_key(shared, credential, clock):
    store = PausedStore(credential, None)
    revocations = Revocations()
    revocations.beat(clock(), clock())
    resolver = Resolver(shared, store, revocations, clock)
    key = Keyring(b"pepper").mint(7)
    filling = asyncio.create_task(resolver.key(key))
    await store.asked.wait()  # the row is read ...
    await shared.announce(7, [credential.credential_id], 31)  # ... revoked, and everybody is told ...
    revocations.apply(7, [credential.credential_id], 31, clock())
    store.let_through.set()  # ... and only now the fill goes on, into both caches.
    assert await filling == credential
    with pytest.raises(CredentialUnknown):
        await resolver.key(key)


async def test_a_late_fill_of_another_replica_is_not_believed_either(shared, credential, clock):
    key = Keyring(b"pepper").mint(7)
    name = f"scanner:auth:{key.digest.hex()}"
    await shared.announce(7, [credential.holder_id], 21)
    await shared.put(name, credential)
    store = PausedStore(None)
    store.let_through.set()
    revocations = Revocations()  # started just now: it has heard nothing yet but a beat
    revocations.beat(clock(), clock())
    with pytest.raises(CredentialUnknown):
        await Resolver(shared, store, revocations, clock).key(key)


async def test_a_cached_record_is_asked_for_no_more_than_once_in_five_minutes(shared, credential, clock):
    store = PausedStore(credential)
    store.let_through.set()
    revocations = Revocations()
    resolver = Resolver(shared, store, revocations, clock)
    key = Keyring(b"pepper").mint(7)
    assert await resolver.key(key) == credential
    for _ in range(3):  # by memory at first, then by Valkey: the store has no second answer
        clock.advance(timedelta(minutes=4))
        revocations.beat(clock(), clock())
        assert await resolver.key(key) == credential

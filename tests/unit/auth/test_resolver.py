from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.auth.keys import Keyring
from services.auth.resolver import CredentialUnknown, Resolver
from services.auth.revocations import MAX_SILENCE, Revocations
from services.chassis.errors import Unavailable

KEY = Keyring(b"p" * 32).mint(7)
OTHERS = [Keyring(b"p" * 32).mint(7) for _ in range(4)]


class CountingStore:
    """A database that counts what it is asked."""

    def __init__(self, answer=None):
        self.answer = answer
        self.asked = 0
        self.up = True

    async def by_key(self, key):
        self.asked += 1
        await self.ping()
        return self.answer

    async def ping(self):
        if not self.up:
            raise Unavailable("the database is down")


class ForgetfulCache:
    """A shared tier that keeps nothing."""

    async def get(self, name):
        return None

    async def put(self, name, credential):
        pass


class StaleCache(ForgetfulCache):
    """A shared tier that has lost the changes it was told of, as after a crash, but not its records."""

    def __init__(self, record):
        self._record = record

    async def get(self, name):
        return self._record


@pytest.fixture
def revocations(clock):
    made = Revocations()
    made.beat(clock(), clock())
    return made


@pytest.fixture
def store(credential):
    return CountingStore(credential)


@pytest.fixture
def resolver(store, revocations, clock):
    return Resolver(ForgetfulCache(), store, revocations, clock)


async def test_a_known_key_is_answered_from_memory(resolver, store, credential):
    for _ in range(3):
        assert await resolver.key(KEY) == credential
    assert store.asked == 1


async def test_memory_is_believed_for_five_minutes(resolver, store, clock, revocations):
    await resolver.key(KEY)
    clock.advance(timedelta(minutes=5))
    revocations.beat(clock(), clock())
    await resolver.key(KEY)
    assert store.asked == 2


async def test_without_a_beat_nothing_cached_is_believed(resolver, store, clock):
    clock.advance(timedelta(seconds=2))
    for _ in range(3):
        await resolver.key(KEY)
    assert store.asked == 3


async def test_without_beat_and_database_nobody_is_let_in(resolver, store, clock):
    await resolver.key(KEY)
    clock.advance(timedelta(seconds=2))
    store.up = False
    with pytest.raises(Unavailable):
        await resolver.key(KEY)
    with pytest.raises(Unavailable):
        await resolver.ready()


async def test_with_a_beat_known_keys_need_no_database(resolver, store, credential):
    await resolver.key(KEY)
    store.up = False
    assert await resolver.key(KEY) == credential
    await resolver.ready()


async def test_an_unknown_key_is_remembered_for_ten_seconds(resolver, store, clock):
    store.answer = None
    for _ in range(3):
        with pytest.raises(CredentialUnknown):
            await resolver.key(KEY)
    assert store.asked == 1
    clock.advance(timedelta(seconds=10))
    with pytest.raises(CredentialUnknown):
        await resolver.key(KEY)
    assert store.asked == 2


async def test_a_failing_database_makes_no_key_unknown(resolver, store, credential):
    store.up = False
    with pytest.raises(Unavailable):
        await resolver.key(KEY)
    store.up = True
    assert await resolver.key(KEY) == credential


async def test_a_record_in_memory_is_not_believed_once_a_change_of_it_is_known(
    resolver, store, revocations, clock
):
    await resolver.key(KEY)
    store.answer = None
    revocations.apply(7, ["key-1"], 31, clock())
    with pytest.raises(CredentialUnknown):
        await resolver.key(KEY)


async def test_a_shared_record_is_not_believed_if_this_replica_knows_better(
    store, credential, revocations, clock
):
    store.answer = None
    revocations.apply(7, ["key-1"], 31, clock())
    with pytest.raises(CredentialUnknown):
        await Resolver(StaleCache(credential), store, revocations, clock).key(KEY)
    assert store.asked == 1


class SlowStore(CountingStore):
    """Reads its answer when it is asked, and gives it when it is let; those that it is quick for, at once."""

    def __init__(self, answer):
        super().__init__(answer)
        self.let_through = asyncio.Event()
        self.quick_for = []

    async def by_key(self, key):
        answer = await super().by_key(key)
        if key not in self.quick_for:
            await self.let_through.wait()
        return answer


@pytest.fixture
def slow(credential):
    return SlowStore(credential)


@pytest.fixture
async def ask(slow, revocations, clock):
    """Ask for the key in the background, and wait until that waits for the database."""
    resolver = Resolver(ForgetfulCache(), slow, revocations, clock)

    async def asked(key=KEY):
        asking = asyncio.create_task(resolver.key(key))
        for _ in range(5):
            await asyncio.sleep(0)
        return asking

    return asked


async def test_a_burst_of_one_key_is_one_query(slow, ask, credential):
    burst = [await ask() for _ in range(50)]
    slow.let_through.set()
    assert await asyncio.gather(*burst) == [credential] * 50
    assert slow.asked == 1


@pytest.mark.parametrize("error", [CredentialUnknown, Unavailable])
async def test_who_asks_together_is_refused_together(slow, ask, error):
    slow.answer, slow.up = None, error is not Unavailable
    burst = [await ask() for _ in range(3)]
    slow.let_through.set()
    ends = await asyncio.gather(*burst, return_exceptions=True)
    assert {type(end) for end in ends} == {error}


async def test_who_gives_up_takes_nobody_else_along(slow, ask, credential):
    first, second = await ask(), await ask()
    first.cancel()
    slow.let_through.set()
    assert await second == credential
    assert slow.asked == 1


@pytest.fixture
async def wait(monkeypatch):
    """Let time pass on the event loop's clock."""
    loop = asyncio.get_running_loop()
    time, ahead = loop.time, 0.0

    def waited(seconds):
        nonlocal ahead
        ahead += seconds

    monkeypatch.setattr(loop, "time", lambda: time() + ahead)
    return waited


async def test_nobody_else_waits_for_a_database_that_hangs_and_known_keys_are_answered(
    slow, ask, wait, credential
):
    known, joining, beginning, _ = OTHERS
    slow.quick_for = [known]
    assert await (await ask(known)) == credential
    wait(60)
    first = await ask()
    wait(0.4)
    second = await ask(joining)
    wait(0.2)
    for key in (joining, beginning):
        refused = await ask(key)
        assert refused.done()
        with pytest.raises(Unavailable):
            await refused
    assert await (await ask(known)) == credential
    slow.let_through.set()
    assert [await first, await second, await (await ask(beginning))] == [credential] * 3


async def test_while_others_are_answered_a_query_that_hangs_keeps_nobody_away(slow, ask, wait, credential):
    slow.quick_for = OTHERS
    first = await ask()
    for key in OTHERS:
        wait(0.4)
        assert await (await ask(key)) == credential
    assert not first.done()
    slow.let_through.set()
    assert await first == credential


async def test_one_that_answers_by_failing_does_not_hang(slow, ask, wait):
    slow.up = False
    for key in OTHERS:
        with pytest.raises(Unavailable):
            await (await ask(key))
        wait(60)
    assert slow.asked == len(OTHERS)


async def test_who_asks_after_a_change_is_not_answered_from_before_it(
    slow, ask, credential, revocations, clock
):
    first = await ask()
    slow.answer = replace(credential, holder_active=False, holder_revision=21)
    revocations.apply(7, [credential.holder_id], 21, clock())
    later = [await ask() for _ in range(3)]
    slow.let_through.set()
    assert await first == credential
    assert await asyncio.gather(*later) == [slow.answer] * 3
    assert slow.asked == 2


async def test_nobody_is_answered_from_longer_ago_than_news_take(slow, ask, wait, credential):
    slow.quick_for = OTHERS
    first = await ask()
    wait(0.4)
    await (await ask(OTHERS[0]))  # so it does not hang
    wait(0.4)
    await (await ask(OTHERS[1]))
    wait(MAX_SILENCE.total_seconds() - 0.7)
    slow.answer = replace(credential, holder_active=False, holder_revision=21)
    later = await ask()
    slow.let_through.set()
    assert (await first, await later) == (credential, slow.answer)

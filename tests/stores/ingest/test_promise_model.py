"""The promise under crashes: the real recorder and the real ledger, and each rule of theirs switched off alone."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from services.billing import plan_file
from services.billing.store_ledger import LedgerStore
from services.chassis import database, ids
from services.ingest import derivation, store_incoming, store_record
from services.ingest.ownership import Decision, Owner
from tests.stores.ingest.books import Books
from tests.stores.ingest.promise import POISON, World

SEEDS = range(40)
MORE_SEEDS = range(400)
"""Within these a world without one of the rules must go wrong; it is stopped at the first."""
_companies = itertools.count(5_000_001)


@pytest.fixture
async def books(postgres) -> AsyncIterator[Books]:
    async with database.connected(postgres.url("billing_worker"), pool_size=2) as connected:
        yield Books(connected, LedgerStore(connected, plan_file.load()))


@pytest.fixture(autouse=True)
async def poison(owner, monkeypatch):
    """A store that refuses scans of the region `poison`, most of the time."""
    worlds = []

    def event(incoming, made=store_incoming._event):
        row = list(made(incoming))
        region = store_incoming._EVENT.index("region")
        flaky = worlds and worlds[-1].random.random() < 0.4
        row[region] = "local" if row[region] == POISON and flaky else row[region]
        return tuple(row)

    monkeypatch.setattr(store_incoming, "_event", event)
    check = f"CHECK (region <> '{POISON}') NOT VALID"
    async with owner.transaction() as connection:
        await connection.execute(sa.text(f"ALTER TABLE ingest.scan_events ADD CONSTRAINT planted {check}"))
    yield worlds
    async with owner.transaction() as connection:
        await connection.execute(sa.text("ALTER TABLE ingest.scan_events DROP CONSTRAINT planted"))


async def wrong(db, books, poison, seed, **broken):
    world = World(db, (next(_companies), next(_companies)), seed, **broken)
    poison.append(world)
    await world.run()
    return await books.wrong(world)


async def test_with_all_rules_nothing_is_lost_or_doubled(db, books, poison):
    for seed in SEEDS:
        assert await wrong(db, books, poison, seed) == [], f"seed {seed}"


def won_is_what_was_inserted(monkeypatch):
    async def owners(connection, scans, taken):
        return {
            scan.key: Owner(message.message_id, scan.index, scan.digest, dead=False)
            for _, message, scan in taken
        }

    monkeypatch.setattr(store_record, "_owners", owners)


def owners_are_read_before_the_insert_waited(monkeypatch):
    """As one statement does, whose snapshot is older than the rows that it waits for."""
    read, insert, seen = store_record._owners, store_record._take, {}

    async def take(connection, scans, *, dead):
        seen[connection] = await read(connection, scans, ())
        return await insert(connection, scans, dead=dead)

    async def owners(connection, scans, taken):
        after = await read(connection, scans, taken)
        mine = {each.scan.key for each in taken}
        return {key: owner for key, owner in after.items() if key in mine or key in seen.get(connection, {})}

    monkeypatch.setattr(store_record, "_take", take)
    monkeypatch.setattr(store_record, "_owners", owners)


def ids_are_random(monkeypatch):
    monkeypatch.setattr(derivation, "_id", lambda *_: ids.uuid7())


def ids_lack_the_groups(monkeypatch):
    whole = derivation._id
    monkeypatch.setattr(derivation, "_id", lambda message, *keys: whole(message, *keys[:2]))


def joined_by_scan_alone(monkeypatch):
    def decide(message, owners):
        mine = {scan.index: owners.get(scan.key) for scan in message.scans}
        won = {index for index, owner in mine.items() if owner and owner.message_id == message.message_id}
        return Decision(won=frozenset(index for index in won if not mine[index].dead))

    monkeypatch.setattr(store_record, "decide", decide)


def the_dead_take_no_row(monkeypatch):
    async def kill(connection, scans):
        pass

    monkeypatch.setattr(store_record, "_kill", kill)


def replays_take_any_dead_row(monkeypatch):
    blind = sa.text(store_record._REVIVE.text.replace("AND dead AND message_id = :replays", ""))
    monkeypatch.setattr(store_record, "_REVIVE", blind)


@pytest.mark.parametrize(
    "rule",
    [
        won_is_what_was_inserted,
        owners_are_read_before_the_insert_waited,
        ids_are_random,
        ids_lack_the_groups,
        joined_by_scan_alone,
        the_dead_take_no_row,
        replays_take_any_dead_row,
    ],
    ids=lambda rule: rule.__name__,
)
async def test_without_a_rule_the_promise_breaks(db, books, poison, monkeypatch, rule):
    rule(monkeypatch)
    assert await broken_within(MORE_SEEDS, db, books, poison)


async def test_an_early_ack_breaks_the_promise(db, books, poison):
    assert await broken_within(MORE_SEEDS, db, books, poison, ack_first=True)


async def broken_within(seeds, db, books, poison, **broken):
    for seed in seeds:
        if await wrong(db, books, poison, seed, **broken):
            return True
    return False

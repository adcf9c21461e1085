"""Wrong ways to record scans and to tell what follows from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.mutants.work import acknowledge
from services.chassis.bus import Outgoing
from services.chassis.pull import Delivery
from services.ingest import rollups, store_rollup
from services.ingest.accepted import Message
from services.ingest.ownership import Decision, Owner
from services.ingest.recorder import Decisions, Recorder
from services.ingest.store_incoming import Incoming

Owners = dict[tuple[int, UUID], Owner]
ReadOwners = Callable[[AsyncConnection, Sequence[Incoming], Sequence[Incoming]], Awaitable[Owners]]


async def ack_before_publish(
    hand_over: Callable[[Recorder, Sequence[Delivery], Sequence[Message], Decisions], Awaitable[None]],
    recorder: Recorder,
    deliveries: Sequence[Delivery],
    messages: Sequence[Message],
    decisions: Decisions,
) -> None:
    """Acknowledge messages when they are decided, then publish what follows."""
    await acknowledge(deliveries)
    await hand_over(recorder, deliveries, messages, decisions)


async def won_from_returning(
    owners: ReadOwners, connection: AsyncConnection, scans: Sequence[Incoming], taken: Sequence[Incoming]
) -> Owners:
    """Forget whatever these messages won in an earlier delivery."""
    won_before = {each.scan.key for each in await _won_before(owners, connection, scans, taken)}
    return {
        key: owner for key, owner in (await owners(connection, scans, taken)).items() if key not in won_before
    }


async def rollups_from_won(
    owners: ReadOwners, connection: AsyncConnection, scans: Sequence[Incoming], taken: Sequence[Incoming]
) -> Owners:
    """Count in the rollups what these messages have won, in whichever delivery."""
    won_before = await _won_before(owners, connection, scans, taken)
    await store_rollup.add(connection, rollups.recorded(each.scan for each in won_before))
    return await owners(connection, scans, taken)


async def _won_before(
    owners: ReadOwners, connection: AsyncConnection, scans: Sequence[Incoming], taken: Sequence[Incoming]
) -> Sequence[Incoming]:
    known = await owners(connection, scans, taken)
    now = {each.scan.key for each in taken}
    return [
        each
        for each in scans
        if each.scan.key not in now
        and (owner := known.get(each.scan.key))
        and (owner.message_id, owner.index) == (each.message.message_id, each.scan.index)
    ]


def scan_join_by_id(
    decide: Callable[[Message, Mapping[tuple[int, UUID], Owner]], Decision],
    message: Message,
    owners: Mapping[tuple[int, UUID], Owner],
) -> Decision:
    """Let a message win a scan wherever its id stands in it: the same id twice is two scans."""
    won = {
        scan.index
        for scan in message.scans
        if (owner := owners.get(scan.key)) and owner.message_id == message.message_id and not owner.dead
    }
    decided = decide(message, owners)
    return replace(decided, won=frozenset(won), reused=decided.reused - won)


def usage_from_sent(
    derive: Callable[[Message, Collection[int]], Iterable[Outgoing]], message: Message, won: Collection[int]
) -> Iterator[Outgoing]:
    """Bill every scan of a message, those that were known already as well."""
    sent = [scan.index for scan in message.scans]
    yield from (event for event in derive(message, won) if not _bills(event))
    yield from (event for event in derive(message, sent) if _bills(event))


def _bills(event: Outgoing) -> bool:
    return event.subject.startswith("usage.")

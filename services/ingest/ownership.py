"""Who owns a scan's id: what has become of each scan of a message, by the rows of the one deduplication.

A row is won by a message *and* an index: the same id twice in one message is one scan, not two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.ingest.accepted import Message


@dataclass(frozen=True, slots=True)
class Owner:
    """A row of the deduplication."""

    message_id: UUID
    index: int
    digest: int
    dead: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What has become of a message's scans, by index; those in no set were sent again and change nothing."""

    won: frozenset[int] = frozenset()
    """On record, by this message."""
    dead: frozenset[int] = frozenset()
    """Refused by the store, by this message."""
    reused: frozenset[int] = frozenset()
    """Another content under an id that was used before."""


def decide(message: Message, owners: Mapping[tuple[int, UUID], Owner]) -> Decision:
    """Join a message's scans with the rows of their ids, read after all of them had been taken."""
    won: set[int] = set()
    dead: set[int] = set()
    reused: set[int] = set()
    for scan in message.scans:
        owner = owners.get(scan.key)
        if owner is None:  # a replay whose scan is forgotten
            continue
        if (owner.message_id, owner.index) == (message.message_id, scan.index):
            (dead if owner.dead else won).add(scan.index)
        elif owner.digest != scan.digest:
            reused.add(scan.index)
    return Decision(frozenset(won), frozenset(dead), frozenset(reused))

"""Ids for scans by the hundred thousand, which cost the generator next to nothing.

The ids of a batch follow from its name, so that a name is all that has to be remembered of a batch. As a rule they are
UUIDv7s that share all but the last group, which is their position; UUIDv4s show what a device costs that does not mint
what the contract recommends.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from uuid import UUID, uuid4

from benchmarks.scan import new_id

_numbers = itertools.count(secrets.randbits(26))


@dataclass(frozen=True, slots=True)
class Minting:
    """A way to make ids."""

    single: Callable[[], str]
    """Answers one."""
    of_batch: Callable[[str, int], Sequence[str]]
    """Answers those of a batch, by its name and size."""


def prefix() -> str:
    """Answer the first four groups of a UUIDv7 that is not minted again in this process: the name of a batch."""
    now = time.time_ns() // 1_000_000
    number = next(_numbers)
    high, low = (number >> 14) & 0xFFF, number & 0x3FFF
    return f"{now >> 16:08x}-{now & 0xFFFF:04x}-7{high:03x}-{0x8000 | low:04x}-"


def _ordered(name: str, size: int) -> list[str]:
    return [f"{name}{position:012x}" for position in range(size)]


def _scattered(name: str, size: int) -> list[str]:
    draw = Random(name)
    return [str(UUID(int=draw.getrandbits(128), version=4)) for _ in range(size)]


ORDERED = Minting(new_id, _ordered)
"""UUIDv7s."""
SCATTERED = Minting(lambda: str(uuid4()), _scattered)
"""UUIDv4s."""

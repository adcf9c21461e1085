"""Ids for scans by the hundred thousand: UUIDv7s that cost the generator next to nothing.

The scans of a batch share all but the last group of their ids, which is their position. So a batch is bytes made
once, in which one text is replaced by another of the same length.
"""

from __future__ import annotations

import itertools
import secrets
import time

PLACEHOLDER = "00000000-0000-7000-8000-"
_numbers = itertools.count(secrets.randbits(26))


def prefix() -> str:
    """Answer the first four groups of a UUIDv7 that is not minted again in this process."""
    now = time.time_ns() // 1_000_000
    number = next(_numbers)
    high, low = (number >> 14) & 0xFFF, number & 0x3FFF
    return f"{now >> 16:08x}-{now & 0xFFFF:04x}-7{high:03x}-{0x8000 | low:04x}-"


def positions(size: int) -> list[str]:
    """Answer the last groups for the scans of a batch."""
    return [f"{position:012x}" for position in range(size)]

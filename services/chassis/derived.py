"""Ids of derived events: the same parts always make the same id, so an event that is derived twice is one event.

A part's length goes before it, so no two lists of parts run together into the same bytes.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

_VERSION = 0x8 << 76
_VARIANT = 0b10 << 62
_KEPT = ((1 << 48) - 1) << 80 | ((1 << 12) - 1) << 64 | ((1 << 62) - 1)


def derived_id(*parts: str | int) -> UUID:
    """Make a UUIDv8 (RFC 9562) of the SHA-256 of `parts`.

    Args:
        parts: everything that tells the event from all others: the message it comes from, and every key that groups it.
    """
    digest = hashlib.sha256()
    for part in parts:
        encoded = str(part).encode()
        digest.update(len(encoded).to_bytes(4))
        digest.update(encoded)
    return UUID(int=int.from_bytes(digest.digest()[:16]) & _KEPT | _VERSION | _VARIANT)

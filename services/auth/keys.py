"""API keys: `kmp_scanner_<company_id>_<uuid>`, with 122 random bits.

A key is looked up by its HMAC within the company it names, so the table never holds what it could be found from. The
bcrypt hash beside it is checked only when a key comes from the table: it is what stands between a leaked pepper and
a forged digest, and no guess at 122 bits needs it to be slow.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from dataclasses import dataclass, field
from uuid import uuid4

import bcrypt

from services.auth import companies
from services.chassis.errors import Unauthenticated

PREFIX = "kmp_scanner_"
_PATTERN = re.compile(
    PREFIX + r"([1-9][0-9]{0,9})_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    re.ASCII,
)
_BCRYPT_COST = 4  # bcrypt's least: 1 ms, once per key and replica


class KeyMalformed(Unauthenticated):
    """What was shown as an API key cannot be one, so it is refused without a look-up."""

    def __init__(self) -> None:
        super().__init__("the API key is not valid")


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A well-formed key that somebody has shown; whether it is one of ours is not known yet."""

    company_id: int
    digest: bytes = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedKey:
    """What is stored of a new key."""

    company_id: int
    digest: bytes = field(repr=False)
    slow_hash: str = field(repr=False)


class Keyring:
    """Makes API keys and reads them, with the pepper their digests need."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def mint(self, company_id: int) -> PresentedKey:
        """Make a new key of a company."""
        return self.read(f"{PREFIX}{company_id}_{uuid4()}")

    def read(self, text: str) -> PresentedKey:
        """Read a key that was shown.

        Raises:
            KeyMalformed: it is not of the form.
        """
        match = _PATTERN.fullmatch(text)
        if match is None or int(match[1]) > companies.MAX_ID:
            raise KeyMalformed
        return PresentedKey(int(match[1]), hmac.digest(self._pepper, text.encode(), "sha256"), text)


async def seal(key: PresentedKey) -> SealedKey:
    """Answer what is to be stored of a key, its salted hash made off the event loop."""
    slow = await asyncio.to_thread(bcrypt.hashpw, key.text.encode(), bcrypt.gensalt(_BCRYPT_COST))
    return SealedKey(key.company_id, key.digest, slow.decode())


async def matches(key: PresentedKey, slow: str) -> bool:
    """Tell whether a key is the one that `slow` was made of; off the event loop."""
    return await asyncio.to_thread(bcrypt.checkpw, key.text.encode(), slow.encode())

"""Pages of a list, newest first, by the key of the last row seen: rows that come or go meanwhile shift nothing.

Ids are UUIDv7 (companies: ascending numbers), so the newest row has the greatest id and the primary key is the only
index a list needs.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from services.auth import companies
from services.auth.fields import Problems

DEFAULT_SIZE = 50
MAX_SIZE = 1000

Key = TypeVar("Key", int, UUID)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Key]):
    """What a list is asked for."""

    size: int
    """How many rows at most."""
    after: Key | None = None
    """Only rows older than this one; None for the first page."""


def parse(page_size: int, page_token: str, *, listing: str, key: Callable[[str], Key | None]) -> Page[Key]:
    """Read the page that is asked for.

    Args:
        page_size: 0 for the default; more than the most is the most.
        page_token: empty for the first page.
        listing: the name of the list, so that the token of another one is refused.
        key: reads the key of a row; None if it is none.

    Raises:
        InvalidArgument: a negative size, or a token that this list never gave out.
    """
    problems = Problems()
    if page_size < 0:
        problems.add("page_size", "must not be negative")
    after = key(_decode(page_token, listing)) if page_token else None
    if page_token and after is None:
        problems.add("page_token", "is not a token of this list")
    problems.raise_any()
    return Page(min(page_size, MAX_SIZE) or DEFAULT_SIZE, after)


def company_key(text: str) -> int | None:
    """Read a company's id; None if it is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(companies.MAX_ID))):
        return None
    return int(text) if int(text) <= companies.MAX_ID else None


def cut(rows: Sequence[Row], page: Page[Key]) -> tuple[Sequence[Row], bool]:
    """Cut rows, of which one more than the page holds was asked for, and tell whether there are more."""
    return rows[: page.size], len(rows) > page.size


def token(listing: str, last: UUID | int) -> str:
    """Answer the token for the page after the row with the key `last`."""
    return base64.urlsafe_b64encode(f"{listing}:{last}".encode()).rstrip(b"=").decode()


def _decode(page_token: str, listing: str) -> str:
    try:
        padded = page_token.encode("ascii") + b"=" * (-len(page_token) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        return ""
    given, _, after = text.partition(":")
    return after if given == listing else ""

"""Pages of a list, newest first, by the key of the last row seen: rows that come or go meanwhile shift nothing.

The key is what the list is ordered by, whole, so that no two rows share it and an index finds where a page begins.
Where ids are UUIDv7 (or ascending numbers) the newest row has the greatest id, and that is the primary key's index.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from services.chassis.fields import Problems

DEFAULT_SIZE = 50
MAX_SIZE = 1000

Key = TypeVar("Key")
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
        key: reads the key of a row from the text that `token` was given; None if it is none.

    Raises:
        InvalidArgument: a negative size, or a token that this list never gave out.
    """
    problems = Problems()
    page = read(problems, page_size, page_token, listing=listing, key=key)
    problems.raise_any()
    return page


def read(
    problems: Problems, page_size: int, page_token: str, *, listing: str, key: Callable[[str], Key | None]
) -> Page[Key]:
    """Read the page as `parse` does, beside other fields: what is wrong with it is noted in `problems`."""
    if page_size < 0:
        problems.add("page_size", "must not be negative")
    after = key(_decode(page_token, listing)) if page_token else None
    if page_token and after is None:
        problems.add("page_token", "is not a token of this list")
    return Page(min(page_size, MAX_SIZE) or DEFAULT_SIZE, after)


def cut(rows: Sequence[Row], page: Page[Key]) -> tuple[Sequence[Row], bool]:
    """Cut rows, of which one more than the page holds was asked for, and tell whether there are more."""
    return rows[: page.size], len(rows) > page.size


def token(listing: str, last: UUID | int | str) -> str:
    """Answer the token for the page after the row with the key `last`, as the list's `key` reads it from a text."""
    return base64.urlsafe_b64encode(f"{listing}:{last}".encode()).rstrip(b"=").decode()


def _decode(page_token: str, listing: str) -> str:
    try:
        padded = page_token.encode("ascii") + b"=" * (-len(page_token) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        return ""
    given, _, after = text.partition(":")
    return after if given == listing else ""

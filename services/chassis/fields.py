"""Checks of single fields. A caller is told everything that is wrong with its request, not the first thing."""

from __future__ import annotations

import re
from uuid import UUID

from services.chassis.errors import InvalidArgument, Violation

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_MAX_NAME = 64


class Problems:
    """Collects violations."""

    def __init__(self) -> None:
        self._found: list[Violation] = []
        self._prefix = ""

    def within(self, resource: str) -> Problems:
        """Answer a view that collects to the same place, with paths that begin with `resource`."""
        view = Problems()
        view._found, view._prefix = self._found, f"{self._prefix}{resource}."
        return view

    def add(self, field: str, description: str) -> None:
        """Note that a field is wrong, and how."""
        self._found.append(Violation(self._prefix + field, description))

    def raise_any(self) -> None:
        """Refuse the request if anything was noted.

        Raises:
            InvalidArgument: with every violation.
        """
        if self._found:
            fields = ", ".join(dict.fromkeys(violation.field for violation in self._found))
            raise InvalidArgument(f"the request is not valid: {fields}", violations=self._found)


def check_text(problems: Problems, field: str, value: str, *, at_least: int = 0, at_most: int) -> None:
    """Check a text's length in characters; U+0000 cannot be stored."""
    if not at_least <= len(value) <= at_most:
        problems.add(field, f"must have {at_least} to {at_most} characters")
    if "\0" in value:
        problems.add(field, "must not contain U+0000")


def check_name(problems: Problems, field: str, value: str) -> None:
    """Check a name out of an open set, such as a region's or a kind's: lower_snake."""
    if len(value) > _MAX_NAME or not _NAME.fullmatch(value):
        problems.add(field, f"must be lower_snake, at most {_MAX_NAME} characters")


def resource_id(text: str) -> UUID | None:
    """Read an id as the mesh writes it, lower case with dashes; None if it cannot be the id of anything."""
    try:
        value = UUID(text)
    except ValueError:
        return None
    return value if str(value) == text else None

"""Ids of derived events."""

from __future__ import annotations

from uuid import RFC_4122

import pytest

from services.chassis.derived import derived_id


def test_the_same_parts_make_the_same_id_for_ever() -> None:
    # Written down: events of the last version may wait in a stream while the next one is rolled out.
    assert str(derived_id(1, "0a" * 16, "USAGE", 7)) == "f7744716-393f-8c35-b883-b564e3737eed"


@pytest.mark.parametrize(
    "parts", [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ("c", "ab"), (1, "1"), (11,)]
)
def test_other_parts_make_another_id(parts: tuple[str | int, ...]) -> None:
    others = {("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ("c", "ab"), (1, "1"), (11,)} - {
        parts
    }
    assert derived_id(*parts) not in {derived_id(*other) for other in others}


def test_it_is_a_uuid_of_version_8() -> None:
    made = derived_id("a")
    assert (made.version, made.variant) == (8, RFC_4122)

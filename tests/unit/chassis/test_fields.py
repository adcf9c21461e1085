from __future__ import annotations

import pytest

from services.chassis.errors import InvalidArgument
from services.chassis.fields import Problems, resource_id


def test_problems_within_a_resource_are_told_with_its_path():
    problems = Problems()
    problems.add("update_mask", "first")
    problems.within("scanner").add("type", "second")
    with pytest.raises(InvalidArgument) as refused:
        problems.raise_any()
    assert [violation.field for violation in refused.value.violations] == ["update_mask", "scanner.type"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "0193A7C5-0000-7000-8000-00000000ABCD",
        "0193a7c500007000800000000000abcd",
        "{0193a7c5-0000-7000-8000-00000000abcd}",
    ],
)
def test_only_the_form_the_mesh_writes_is_an_id(text):
    assert resource_id(text) is None


def test_an_id_is_read():
    text = "0193a7c5-0000-7000-8000-00000000abcd"
    assert str(resource_id(text)) == text

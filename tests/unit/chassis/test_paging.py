from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import paging
from services.chassis.errors import InvalidArgument
from services.chassis.fields import Problems, resource_id
from services.chassis.ids import uuid7


def parse(size=0, token=""):
    return paging.parse(size, token, listing="users", key=resource_id)


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_a_page_has_a_size(asked, given):
    assert parse(asked).size == given


def test_a_token_leads_to_the_row_after_which_the_page_begins():
    last = uuid7()
    assert parse(token=paging.token("users", last)).after == last
    numbers = paging.parse(0, paging.token("numbers", 12), listing="numbers", key=int)
    assert numbers.after == 12


@pytest.mark.parametrize(
    "token",
    [
        paging.token("scanners", UUID("01a21551-a45a-7162-a2ce-01b1ad000000")),
        paging.token("users", 12),
        "nonsense",
        "ü",
        "=",
        "dXNlcnM6",  # `users:`
    ],
)
def test_a_token_that_the_list_never_gave_out_is_refused(token):
    with pytest.raises(InvalidArgument) as refused:
        parse(token=token)
    assert [violation.field for violation in refused.value.violations] == ["page_token"]


def test_everything_wrong_with_a_page_is_told_at_once():
    with pytest.raises(InvalidArgument) as refused:
        parse(-1, "x")
    assert [violation.field for violation in refused.value.violations] == ["page_size", "page_token"]


def test_what_is_wrong_with_a_page_is_told_beside_the_rest():
    problems = Problems()
    problems.add("kind", "is unknown")
    paging.read(problems, -1, "", listing="users", key=resource_id)
    with pytest.raises(InvalidArgument) as refused:
        problems.raise_any()
    assert [violation.field for violation in refused.value.violations] == ["kind", "page_size"]


@given(st.text(max_size=200))
def test_whatever_comes_as_a_token_is_read_or_refused(token):
    try:
        page = parse(token=token)
    except InvalidArgument:
        return
    assert token == "" or paging.token("users", page.after) == token.rstrip("=")


def test_rows_are_cut_to_the_page():
    page = parse(2)
    assert paging.cut([1, 2, 3], page) == ([1, 2], True)
    assert paging.cut([1, 2], page) == ([1, 2], False)

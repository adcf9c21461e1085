from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from benchmarks.books import api, claims, difference, settling
from benchmarks.books.api import Shown
from benchmarks.books.claims import Claims, Sent
from benchmarks.books.difference import Difference
from benchmarks.books.settling import Queue
from benchmarks.books.stores import Sums, checks
from benchmarks.scan import BARCODE, Scan

SUMS = Sums(stored=9, recorded=9, enriched=8, failed=1, results=8, letters=1, metered=9)
SHOWN = Shown(recorded=9, enriched=8, failed=1, metered=9, invoiced=9, listed=[{}] * 9)
A, B, C, D = ((1, name) for name in "abcd")


def test_every_check_says_what_is_wrong_and_has_a_query():
    assert len(checks()) >= 15
    problems = [check.problem for check in checks()]
    assert len(set(problems)) == len(problems)
    assert all("SELECT company_id, format(" in check.query for check in checks())


@pytest.mark.parametrize(
    ("told", "stored", "dead", "wrong"),
    [
        (Claims({A}, {B}, {C}), {A}, set(), []),
        (Claims({A}, {B}, {C}), {A, B}, set(), []),
        (Claims({A}, {B}, {C}), set(), {A}, []),
        (Claims({A}, {B}, {C}), {B}, set(), [(A, "accepted, and neither stored nor in a dead letter")]),
        (Claims({A}, {B}, {C}), {A, C}, {C}, [(C, "refused in every attempt, and stored")]),
        (Claims({A}, {B}, {C}), {A, D}, set(), [(D, "stored, and nobody has sent it")]),
    ],
)
def test_the_clients_book_is_held_against_the_stored_scans(told, stored, dead, wrong):
    found = list(claims.held_against(told, stored, Counter(dead)))
    assert found == [Difference(key[0], f"scan {key[1]}", problem) for key, problem in wrong]


@pytest.mark.parametrize(("letters", "wrong"), [(0, True), (1, True), (2, False), (3, False)])
def test_of_an_id_that_was_accepted_with_three_contents_two_have_died(letters, wrong):
    told = Claims({A}, set(), set(), {A: 3})
    found = list(claims.held_against(told, {A}, Counter({A: letters})))
    problem = "accepted with more contents than are accounted for"
    assert [(each.problem, each.detail) for each in found] == (
        [(problem, f"3 contents, {letters} dead letters")] if wrong else []
    )


SCAN = Scan(
    "a", location="dock", attributes=(("b", "2"),), scan_time=datetime(2026, 11, 26, 3, 4, 5, 6_000, UTC)
)
LISTED = {
    "scanId": "a",
    "scanTime": "2026-11-26T03:04:05.006Z",
    "location": "dock",
    "attributes": {"b": "2"},
    "barcode": {"data": BARCODE, "format": ""},
    "scannerId": "s",
    "lane": "bulk",
}


def test_a_scan_that_is_shown_as_one_of_its_attempts_sent_it_is_right():
    told = Claims({A}, set(), set(), sent={A: {Sent("s", "premium", Scan("a")), Sent("s", "bulk", SCAN)}})
    assert list(claims.held_against_shown(told, 1, [LISTED])) == []


def test_few_premium_scans_may_have_gone_as_standard_ones_and_no_standard_one_as_premium():
    told = Claims({A}, set(), set(), sent={A: {Sent("s", "premium", SCAN)}})
    standard, premium = {**LISTED, "lane": "standard"}, {**LISTED, "lane": "premium"}
    assert list(claims.held_against_shown(told, 1, [standard] * 20 + [premium] * 180)) == []
    [found] = claims.held_against_shown(told, 1, [standard] * 21 + [premium] * 179)
    assert (found.problem, found.detail) == ("went as standard ones", "21 of 200")
    told = Claims({A}, set(), set(), sent={A: {Sent("s", "standard", SCAN)}})
    assert len(list(claims.held_against_shown(told, 1, [premium]))) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"scannerId": "t"},
        {"lane": "premium"},
        {"location": ""},
        {"scanTime": None},
        {"scanTime": "2026-11-26T03:04:05.007Z"},
        {"attributes": {}},
        {"barcode": {"data": "0"}},
    ],
    ids=str,
)
def test_a_scan_that_is_shown_otherwise_is_named(other):
    told = Claims({A}, set(), set(), sent={A: {Sent("s", "bulk", SCAN)}})
    [found] = claims.held_against_shown(told, 1, [{**LISTED, **other}])
    assert (found.subject, found.problem) == ("scan a", "is not what was sent")


def test_a_client_that_does_not_say_what_it_sent_is_shown_anything():
    assert list(claims.held_against_shown(Claims({A}, set(), set()), 1, [LISTED])) == []


def test_what_the_api_shows_must_be_what_the_stores_hold():
    assert list(api.held_against(1, SHOWN, SUMS, SUMS)) == []
    for name in ("recorded", "enriched", "failed", "metered", "invoiced", "listed"):
        seven = [{}] * 7 if name == "listed" else 7
        [found] = api.held_against(1, replace(SHOWN, **{name: seven}), SUMS, SUMS)
        assert found.detail.startswith("7, ")


def test_what_the_api_shows_may_grow_while_it_is_asked():
    grown = replace(SUMS, recorded=12, metered=12, stored=12)
    shown = replace(SHOWN, recorded=11, metered=10, invoiced=12, listed=[{}] * 11)
    assert list(api.held_against(1, shown, SUMS, grown)) == []
    [found] = api.held_against(1, replace(SHOWN, recorded=13), SUMS, grown)
    assert found.subject == "GetScanStats, recorded"


@dataclass
class ShownQuota:
    """A company as far as its quota is looked at."""

    used: int
    limit: int = 100
    id: int = 1

    async def limits(self):
        return {"company.month": {"limit": str(self.limit), "remaining": str(max(0, self.limit - self.used))}}


async def _nine():
    return 9


async def test_a_quota_that_agrees_with_the_ledger_is_no_difference():
    assert await api.quota(ShownQuota(9), _nine, 0.0, expected=True) is None
    # At its end it does not count on.
    assert await api.quota(ShownQuota(9, limit=8), _nine, 0.0, expected=True) is None


@pytest.mark.parametrize("used", [8, 10])
async def test_a_quota_that_stays_off_the_ledger_is_a_difference(used):
    found = await api.quota(ShownQuota(used), _nine, 0.0, expected=False)
    assert found is not None
    assert found.detail == f"{used} are used, 9 are in the ledger"


class WithoutQuota(ShownQuota):
    async def limits(self):
        return {}


async def test_a_quota_that_is_not_shown_is_a_difference_where_there_must_be_one():
    assert await api.quota(WithoutQuota(9), _nine, 0.0, expected=False) is None
    found = await api.quota(WithoutQuota(9), _nine, 0.0, expected=True)
    assert found is not None
    assert (found.subject, found.problem) == ("company.month", "is not shown")


async def test_a_quota_may_know_of_more_than_the_ledger_but_never_of_less():
    assert await api.undercount(ShownQuota(10), 9) is None
    found = await api.undercount(ShownQuota(8), 9)
    assert found is not None
    assert found.problem == "knows of less than is in the ledger"


def test_a_mesh_is_quiet_when_nothing_was_on_its_way_between_two_looks():
    empty = (Queue("SCANS", 0, 8, 7), Queue("USAGE", 0, 4, 3))
    assert settling.quiet(empty, empty)
    assert not settling.quiet(empty, (Queue("SCANS", 1, 8, 8), empty[1]))
    assert not settling.quiet(empty, (Queue("SCANS", 0, 9, 8), empty[1]))  # it came and went
    waiting = (Queue("SCANS", 1, 7, 7), empty[1])
    assert not settling.quiet(waiting, waiting)


def test_of_many_alike_the_first_are_written_down_and_the_rest_counted():
    many = [Difference(1, f"scan {number}", "is lost") for number in range(23)]
    written = list(difference.lines([*many, Difference(2, "scan x", "is lost", "told")]))
    assert len(written) == 22
    assert written[20:] == ["company 1: 3 more: is lost", "company 2: scan x: is lost (told)"]

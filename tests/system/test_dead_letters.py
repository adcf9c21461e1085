"""Dead letters: a company's admins see and replay their own; nobody else does."""

from __future__ import annotations

import uuid

import pytest

from tests.system.actors import Answer, Company, Operator, scan
from tests.system.inspector import settle

LETTERS = 5


@pytest.fixture(scope="module")
def letters(mesh, platform: Operator) -> tuple[Company, list[str]]:
    """A company with five letters, and the ids of their scans."""
    company = Company(mesh.describe()["edge"]["http"], platform)
    device = company.scanner()
    scans = [scan(location="A") for _ in range(LETTERS)]
    reused = [{**each, "location": "B"} for each in scans]
    for batch in (scans, reused):
        assert device.http.post("/v1/scans:batch", {"scans": batch}).status == 200
    settle(mesh.describe())
    return company, [each["scanId"] for each in scans]


def test_they_are_listed_in_pages(letters: tuple[Company, list[str]]) -> None:
    company, scan_ids = letters
    listed, token = [], ""
    for _ in range(3):
        page = company.admin.http.get("/v1/deadLetters", params={"pageSize": 2, "pageToken": token}).body
        listed += page["deadLetters"]
        token = page["nextPageToken"]
    assert token == ""
    assert sorted(letter["scanId"] for letter in listed) == sorted(scan_ids)
    times = [letter["failTime"] for letter in listed]
    assert times == sorted(times, reverse=True)


def test_others_see_and_replay_none(letters: tuple[Company, list[str]], company: Company) -> None:
    theirs, _ = letters
    [letter, *_] = theirs.dead_letters()
    assert company.dead_letters() == []
    assert replay(company.admin, letter["deadLetterId"]).reason == "NOT_FOUND"
    named = company.admin.http.get("/v1/deadLetters", params={"companyId": theirs.id})
    assert (named.status, named.reason) == (403, "PERMISSION_DENIED")
    for caller in (theirs.user("ROLE_VIEWER").http, theirs.scanner().http):
        assert caller.get("/v1/deadLetters").status == 403


def test_platform_admin_must_name_the_company(letters: tuple[Company, list[str]], platform: Operator) -> None:
    company, scan_ids = letters
    unnamed = platform.http.get("/v1/deadLetters")
    assert (unnamed.status, unnamed.reason, unnamed.violated) == (400, "INVALID_ARGUMENT", {"company_id"})
    named = platform.http.get("/v1/deadLetters", params={"companyId": company.id})
    assert len(named.body["deadLetters"]) == len(scan_ids)


@pytest.mark.parametrize("ids", [[], [str(uuid.uuid4())] * 1_001])
def test_no_ids_and_too_many_are_violations(company: Company, ids: list[str]) -> None:
    answer = replay(company.admin, *ids)
    assert (answer.status, answer.reason, answer.violated) == (400, "INVALID_ARGUMENT", {"dead_letter_ids"})


def test_unknown_letter_is_not_found(company: Company) -> None:
    for letter in (str(uuid.uuid4()), "nope"):
        assert replay(company.admin, letter).reason == "NOT_FOUND"


def replay(operator: Operator, *ids: str) -> Answer:
    return operator.http.post("/v1/deadLetters:replay", {"deadLetterIds": ids})

"""An id stands for its first content for good: another content under it is answered accepted and is a dead letter."""

from __future__ import annotations

import uuid

from tests.system.actors import Company, Operator, scan
from tests.system.books import assert_balanced
from tests.system.inspector import settle


def test_first_content_stays_and_the_other_is_a_dead_letter(description, own_company: Company) -> None:
    device = own_company.scanner()
    first = scan(location="A")
    assert device.submit(first).status == 200
    settle(description)
    other = device.submit({**first, "location": "B"})
    assert (other.status, other.body["scanId"]) == (200, first["scanId"])
    settle(description)
    [letter] = own_company.dead_letters()
    assert (letter["scanId"], letter["consumer"], letter["reason"]) == (
        first["scanId"],
        "ingest_recorder",
        "SCAN_ID_REUSED",
    )
    assert device.http.get(f"/v1/scans/{first['scanId']}").body["scan"]["location"] == "A"
    assert_balanced(description, own_company, [first["scanId"]])
    refused = own_company.replay(letter)
    assert (refused.status, refused.reason, refused.retry_delay) == (400, "INVALID_ARGUMENT", None)


def test_both_contents_in_one_batch(description, own_company: Company) -> None:
    device = own_company.scanner()
    first, other = scan(location="A"), scan(location="A")
    reused = {**first, "attributes": {"lot": "8"}}
    answer = device.http.post("/v1/scans:batch", {"scans": [first, reused, other, reused]})
    assert (answer.status, answer.body["acceptedCount"]) == (200, "4")
    assert_balanced(description, own_company, [first["scanId"], other["scanId"]])
    assert [letter["reason"] for letter in own_company.dead_letters()] == ["SCAN_ID_REUSED"] * 2
    assert device.http.get(f"/v1/scans/{first['scanId']}").body["scan"]["attributes"] == {}


def test_what_the_server_adds_is_no_content(description, own_company: Company) -> None:
    body = scan()
    first, second = own_company.scanner(), own_company.scanner()
    assert first.submit(body).status == 200
    assert second.http.post("/v1/scans?bulk=true", {**body, "scannerId": str(uuid.uuid4())}).status == 200
    assert_balanced(description, own_company, [body["scanId"]])
    assert own_company.dead_letters() == []


def test_two_companies_may_choose_the_same_id(description, own_company: Company, platform: Operator) -> None:
    other = Company(own_company.base, platform)
    body = scan()
    for company, location in ((own_company, "A"), (other, "B")):
        device = company.scanner()
        assert device.submit({**body, "location": location}).status == 200
        assert_balanced(description, company, [body["scanId"]])
        assert device.http.get(f"/v1/scans/{body['scanId']}").body["scan"]["location"] == location
        assert company.dead_letters() == []

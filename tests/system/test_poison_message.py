"""One poison message: it is a dead letter with its reason, its neighbours go on, and a replay brings it back, once."""

from __future__ import annotations

import uuid
from typing import Any

from benchmarks.plants.site.planted import Plant
from deploy.local.mesh import Mesh
from tests.system.actors import Answer, Company, eventually, scan
from tests.system.books import assert_agreed, assert_balanced, listed, statistics
from tests.system.disturbances import plants, publish, redelivery_within, store_that_refuses
from tests.system.inspector import rows, settle

EVERY_QUEUE = (
    "scan.accepted.v1.standard",
    "scan.recorded.v1.standard.barcode",
    "usage.recorded.v1.scans",
    "scan.tallied.v1",
    "deadletter.written.v1",
)
ENRICH = "services.enrichment.product.render:enrich"
LETTER_SECONDS = 20.0
"""Three failures, with a second and two between them."""
KILLED_SECONDS = 60.0
"""Five deliveries among others, three alone, and three to bury it; each kills a process that takes a while to start."""


def test_scan_that_the_store_refuses(description, own_company: Company) -> None:
    own_company.subscribe("enterprise")  # without a quota, no audit waits for the watermark
    device = own_company.scanner()
    poison = f"poison {uuid.uuid4()}"
    scans, scan_after = [scan() for _ in range(5)], scan()
    scans[2]["location"] = poison
    with store_that_refuses(description, poison):
        assert device.http.post("/v1/scans:batch", {"scans": scans}).body["acceptedCount"] == "5"
        letter = letter_of(own_company)
        assert device.submit(scan_after).status == 200
        settle(description)
        assert (letter["scanId"], letter["consumer"], letter["reason"]) == (
            scans[2]["scanId"],
            "ingest_recorder",
            "INTERNAL",
        )
        assert letter["tries"] >= 3
        neighbours = {each["scanId"] for each in (*scans[:2], *scans[3:], scan_after)}
        assert {each["scanId"] for each in listed(own_company)} == neighbours
        assert own_company.usage() == len(neighbours)
        assert_agreed(description, own_company)
        assert_dead(device.http.get(f"/v1/scans/{scans[2]['scanId']}"), letter)
        assert (
            own_company.replay(letter).status == 200
        )  # too early: it dies again, and the new letter stands for it
        eventually(
            lambda: (
                [each["deadLetterId"] for each in own_company.dead_letters()] != [letter["deadLetterId"]]
                and len(own_company.dead_letters()) == 1
            ),
            seconds=LETTER_SECONDS,
            what="a new letter",
        )
        assert_agreed(description, own_company)
    letter = letter_of(own_company)
    assert [own_company.replay(letter).status for _ in range(2)] == [200, 200]
    assert_balanced(description, own_company, [each["scanId"] for each in (*scans, scan_after)])
    assert_agreed(description, own_company)
    assert own_company.dead_letters() == []


def test_scan_that_cannot_be_enriched(mesh: Mesh, description, own_company: Company) -> None:
    own_company.subscribe("enterprise")  # without a quota, no audit waits for the watermark
    device = own_company.scanner()
    poison = f"poison {uuid.uuid4()}"
    scans = [scan() for _ in range(5)]
    scans[2]["barcode"] = {"data": poison}
    fault = Plant(
        target=ENRICH,
        act="raise",
        value="builtins:ValueError",
        call=0,
        among=poison,
    )
    with plants(mesh, "enrichment-worker", fault):
        assert device.http.post("/v1/scans:batch", {"scans": scans}).body["acceptedCount"] == "5"
        letter = letter_of(own_company)
        settle(description)
    assert (letter["scanId"], letter["consumer"], letter["reason"]) == (
        scans[2]["scanId"],
        "enrichment_barcode",
        "INTERNAL",
    )
    path = f"/v1/scans/{scans[2]['scanId']}"
    assert device.http.get(path).status == 200  # it is on record, and on the bill
    assert_dead(device.http.get(f"{path}/enrichment"), letter)
    assert statistics(own_company) == {"recorded": 5, "enriched": 4, "failed": 1}
    assert own_company.usage() == 5
    assert_agreed(description, own_company)
    assert [own_company.replay(letter).status for _ in range(2)] == [200, 200]
    assert_balanced(description, own_company, [each["scanId"] for each in scans])
    assert_agreed(description, own_company)
    assert own_company.dead_letters() == []
    assert device.http.get(f"{path}/enrichment").status == 200


def test_scan_that_kills_whoever_enriches_it(mesh: Mesh, description, own_company: Company) -> None:
    """A process that is killed counts nothing, so the attempt is on disk before it is made."""
    device = own_company.scanner()
    poison = scan(barcode={"data": f"poison {uuid.uuid4()}"})
    neighbours = [scan() for _ in range(3)]
    fault = Plant(target=ENRICH, act="kill", call=0, among=poison["barcode"]["data"])
    with redelivery_within(description, 1.0), plants(mesh, "enrichment-worker", fault):
        for body in (poison, *neighbours):
            assert device.submit(body).status == 200
        letter = letter_of(own_company, seconds=KILLED_SECONDS)
        settle(description)
    assert (letter["scanId"], letter["consumer"]) == (poison["scanId"], "enrichment_barcode")
    assert statistics(own_company) == {"recorded": 4, "enriched": 3, "failed": 1}
    assert own_company.replay(letter).status == 200
    assert_balanced(description, own_company, [each["scanId"] for each in (poison, *neighbours)])
    assert own_company.dead_letters() == []


def test_messages_that_nobody_can_read(description, own_company: Company) -> None:
    payloads = [b"\xff\xff" + uuid.uuid4().bytes for _ in EVERY_QUEUE]
    for subject, payload in zip(EVERY_QUEUE, payloads, strict=True):
        publish(description, subject, payload)
    device, body = own_company.scanner(), scan()
    assert device.submit(body).status == 200
    assert_balanced(description, own_company, [body["scanId"]])
    letters = rows(
        description,
        "SELECT payload, company_id FROM ingest.dead_letters WHERE payload = ANY($1::bytea[])",
        payloads,
    )
    assert sorted(map(tuple, letters)) == sorted((payload, 0) for payload in payloads)
    assert own_company.dead_letters() == []


def letter_of(company: Company, *, seconds: float = LETTER_SECONDS) -> dict[str, Any]:
    """Wait for the one letter of a company."""
    eventually(lambda: bool(company.dead_letters()), seconds=seconds, what="the letter")
    [letter] = company.dead_letters()
    return letter


def assert_dead(answer: Answer, letter: dict[str, Any]) -> None:
    assert (answer.status, answer.reason, answer.retry_delay) == (404, "NOT_FOUND", None)
    info = answer.detail("ErrorInfo")
    assert info is not None
    assert info["metadata"]["dead_letter_id"] == letter["deadLetterId"]

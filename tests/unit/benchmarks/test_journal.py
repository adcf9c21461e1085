from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.books.claims import Sent
from benchmarks.chaos.journal import Journal
from benchmarks.chaos.parcel import Parcel, Route
from benchmarks.client import answer
from benchmarks.client.answer import ACCEPTED
from benchmarks.scan import Scan
from benchmarks.tenants import Device

LIMITED = answer.refusal("RATE_LIMITED", 1.0)
UNKNOWN = answer.refusal("NOT_DURABLE", 2.0)
GOOD, BAD = Scan(), Scan(good=False)
KEY = (7, GOOD.scan_id)


def parcel(scan: Scan, company_id: int = 7, lane: str = "standard") -> Parcel:
    return Parcel(Device(company_id, "scanner", "key"), (scan,), Route.HTTP_SINGLE, lane)


def journal(scan: Scan, *answers: answer.Answer) -> Journal:
    book = Journal()
    for said in answers:
        send(book, parcel(scan), said)
    return book


def send(book: Journal, sent: Parcel, said: answer.Answer) -> None:
    book.begin(sent, sent.scans)
    book.end(sent, sent.scans[0], said)


@pytest.mark.parametrize(
    ("answers", "where"),
    [
        ([ACCEPTED], "accepted"),
        ([UNKNOWN, LIMITED, ACCEPTED], "accepted"),
        ([ACCEPTED, LIMITED, UNKNOWN], "accepted"),
        ([UNKNOWN], "unknown"),
        ([UNKNOWN, LIMITED], "unknown"),
        ([answer.silence("reset")], "unknown"),
        ([LIMITED, LIMITED], "refused"),
    ],
)
def test_a_scan_is_in_one_of_the_three_by_all_of_its_attempts(answers, where):
    claims = journal(GOOD, *answers).claims()
    assert {name: set(getattr(claims, name)) for name in ("accepted", "unknown", "refused")} == {
        "accepted": set(),
        "unknown": set(),
        "refused": set(),
        where: {KEY},
    }


def test_an_attempt_under_way_leaves_the_scan_unknown():
    book = journal(GOOD, LIMITED)
    book.begin(parcel(GOOD), [GOOD])
    assert set(book.claims().unknown) == {KEY}


def test_a_scan_that_is_sent_again_is_offered_once():
    assert journal(GOOD, UNKNOWN, ACCEPTED).offered == 1


def test_the_same_id_of_two_companies_is_two_scans():
    book = Journal()
    for company_id in (7, 8):
        send(book, parcel(GOOD, company_id), ACCEPTED)
    assert len(book.claims().accepted) == 2


def test_an_id_that_is_accepted_with_another_content_is_noted_with_their_number():
    book = journal(GOOD, ACCEPTED, ACCEPTED)
    assert book.claims().contents == {}
    other = replace(GOOD, location="elsewhere")
    send(book, parcel(other), ACCEPTED)
    assert book.claims().contents == {KEY: 2}


def test_what_may_be_stored_is_what_was_sent_in_attempts_that_were_not_refused():
    book = journal(GOOD, LIMITED)
    assert book.claims().sent == {KEY: set()}
    send(book, parcel(GOOD), ACCEPTED)
    send(book, parcel(GOOD, lane="bulk"), UNKNOWN)
    send(book, parcel(GOOD, lane="premium"), LIMITED)
    other = replace(GOOD, location="elsewhere")
    book.begin(parcel(other), [other])  # and nothing comes back
    assert book.claims().sent == {
        KEY: {
            Sent("scanner", "standard", GOOD),
            Sent("scanner", "bulk", GOOD),
            Sent("scanner", "standard", other),
        }
    }


def test_moments_are_those_of_acceptances_and_of_unknown_outcomes():
    book = journal(GOOD, UNKNOWN, LIMITED, ACCEPTED, ACCEPTED)
    assert (len(book.acceptances), len(book.arrivals), len(book.failures)) == (2, 1, 1)
    assert book.outcomes == {"accepted": 2, "NOT_DURABLE": 1, "RATE_LIMITED": 1}


@pytest.mark.parametrize(
    ("scan", "said", "breach"),
    [
        (GOOD, answer.refusal("INVALID_ARGUMENT", None), "a good scan was to be dropped: INVALID_ARGUMENT"),
        (GOOD, answer.refusal("NOT_DURABLE", None), "a good scan was to be dropped: NOT_DURABLE"),
        (GOOD, answer.refusal("CREDENTIALS_INVALID", None), "a valid key was refused: CREDENTIALS_INVALID"),
        (GOOD, answer.nonsense("502 x"), "an answer that is not of the contract's form: 502 x"),
        (BAD, ACCEPTED, "a scan that breaks the rules was accepted"),
    ],
)
def test_what_breaks_the_contract_is_noted_with_its_scan(scan, said, breach):
    assert journal(scan, said).breaches == [f"company 7: scan {scan.scan_id}: {breach}"]


@pytest.mark.parametrize(
    ("scan", "said"),
    [
        (GOOD, ACCEPTED),
        (GOOD, LIMITED),
        (GOOD, answer.silence("reset")),
        (BAD, answer.refusal("INVALID_ARGUMENT", None)),
        (BAD, LIMITED),
    ],
)
def test_what_keeps_the_contract_is_not(scan, said):
    assert journal(scan, said).breaches == []

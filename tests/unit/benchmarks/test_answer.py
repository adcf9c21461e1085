from __future__ import annotations

import pytest

from benchmarks.client import answer
from benchmarks.client.answer import ACCEPTED, Duty, Fate


def status(reason: str, delay: str | None = None, domain: str = "scanmesh.dev"):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain}]
    if delay is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return {"code": 14, "message": "", "details": details}


@pytest.mark.parametrize(
    ("reason", "delay", "fate", "duty"),
    [
        ("INVALID_ARGUMENT", None, Fate.REFUSED, Duty.DROP),
        ("RATE_LIMITED", "0.5s", Fate.REFUSED, Duty.AGAIN),
        ("QUOTA_EXCEEDED", "60s", Fate.REFUSED, Duty.AGAIN),
        ("OVERLOADED", "1s", Fate.REFUSED, Duty.AGAIN),
        ("NOT_DURABLE", "2s", Fate.UNKNOWN, Duty.AGAIN),
        ("DEPENDENCY_UNAVAILABLE", "1s", Fate.UNKNOWN, Duty.AGAIN),
        ("INTERNAL", "1s", Fate.UNKNOWN, Duty.AGAIN),
        ("CREDENTIALS_INVALID", None, Fate.REFUSED, Duty.STOP),
        ("COMPANY_SUSPENDED", None, Fate.REFUSED, Duty.STOP),
    ],
)
def test_an_error_says_what_became_of_the_scan_and_what_to_do(reason, delay, fate, duty):
    read = answer.of_json(503, status(reason, delay))
    assert (read.fate, read.duty, read.reason) == (fate, duty, reason)
    assert read.retry_delay == (None if delay is None else float(delay[:-1]))


def test_an_accepted_scan_is_done():
    assert (ACCEPTED.fate, ACCEPTED.duty) == (Fate.ACCEPTED, Duty.DONE)


@pytest.mark.parametrize(
    "body",
    [
        "upstream connect error",
        {},
        {"details": []},
        {"details": [{"reason": "X", "domain": "scanmesh.dev"}]},
        {"details": [None]},
        status(""),
        status("X", domain="other"),
        status("RATE_LIMITED", "soon"),
        {"details": [*status("X")["details"], {"@type": "type.googleapis.com/google.rpc.RetryInfo"}]},
        None,
    ],
    ids=str,
)
def test_an_answer_of_another_form_is_as_good_as_none(body):
    read = answer.of_json(503, body)
    assert (read.fate, read.duty, read.malformed) == (Fate.UNKNOWN, Duty.AGAIN, True)


def test_no_answer_leaves_the_fate_unknown_and_is_no_breach():
    read = answer.silence("connection refused")
    assert (read.fate, read.duty, read.malformed) == (Fate.UNKNOWN, Duty.AGAIN, False)


def test_a_rejection_of_a_batch_reads_as_an_error_does():
    limited = {"index": 0, "scanId": "a", "reason": "RATE_LIMITED", "retryDelay": "1.5s"}
    invalid = {"index": 2, "scanId": "c", "reason": "INVALID_ARGUMENT"}
    body = {"acceptedCount": "1", "rejections": [limited, invalid]}
    first, second, third = answer.of_rejections(body, ["a", "b", "c"])
    assert (first.fate, first.retry_delay) == (Fate.REFUSED, 1.5)
    assert (second, third.duty) == (ACCEPTED, Duty.DROP)

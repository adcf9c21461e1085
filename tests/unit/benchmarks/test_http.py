from __future__ import annotations

import pytest

from benchmarks.client.answer import ACCEPTED, Fate
from benchmarks.client.http import HttpClient
from benchmarks.scan import Scan

SCAN = Scan().as_json()
_REJECTION = {"index": 0, "scanId": SCAN["scanId"], "reason": "RATE_LIMITED"}


@pytest.fixture
async def answering():
    """A client whose edge says what a test wants it to."""

    def client(status, body):
        made = HttpClient("http://edge.invalid")
        clients.append(made)

        async def post(*_):
            return status, body

        made._post = post
        return made

    clients = []
    yield client
    for made in clients:
        await made.__aexit__(None, None, None)


@pytest.mark.parametrize("body", ["OK", {}, {"scanId": "another"}, None, []])
async def test_an_answer_200_that_does_not_name_the_scan_is_nonsense(answering, body):
    read = await answering(200, body).submit("key", SCAN)
    assert (read.fate, read.malformed) == (Fate.UNKNOWN, True)


async def test_an_answer_200_that_names_the_scan_accepts_it(answering):
    assert await answering(200, {"scanId": SCAN["scanId"]}).submit("key", SCAN) == ACCEPTED


@pytest.mark.parametrize(
    "body",
    [
        "OK",
        {"acceptedCount": "2"},
        {"acceptedCount": "1", "rejections": []},
        {"acceptedCount": "2", "rejections": [_REJECTION]},
        {"acceptedCount": "1", "rejections": [{**_REJECTION, "index": 7}]},
        {"acceptedCount": "1", "rejections": [{**_REJECTION, "scanId": "another"}]},
        {"acceptedCount": "1", "rejections": [{**_REJECTION, "reason": ""}]},
        {"acceptedCount": "1", "rejections": [{**_REJECTION, "retryDelay": "soon"}]},
        {"acceptedCount": "1", "rejections": [None]},
    ],
)
async def test_an_answer_to_a_batch_that_does_not_add_up_is_nonsense_for_all_of_it(answering, body):
    read = await answering(200, body).submit_batch("key", [SCAN, SCAN])
    assert [(each.fate, each.malformed) for each in read] == [(Fate.UNKNOWN, True)] * 2


async def test_what_a_batch_does_not_reject_is_accepted(answering):
    body = {
        "acceptedCount": "1",
        "rejections": [{**_REJECTION, "retryDelay": "1.5s"}],
    }
    first, second = await answering(200, body).submit_batch("key", [SCAN, SCAN])
    assert (first.reason, first.retry_delay, second) == ("RATE_LIMITED", 1.5, ACCEPTED)


@pytest.mark.parametrize("body", ["OK", {}, {"success": True}])
async def test_an_old_device_that_is_given_no_id_was_told_nonsense(answering, body):
    read, scan_id = await answering(200, body).submit_legacy("key", "{}")
    assert (read.fate, read.malformed, scan_id) == (Fate.UNKNOWN, True, "")


@pytest.mark.parametrize(
    "body",
    [
        {"success": False, "retryAfter": None},
        {"success": False, "error": "NOT_DURABLE", "retryAfter": "Thu, 26 Nov 2026 04:00:00 GMT"},
        {"error": "NOT_DURABLE", "retryAfter": None},
        {"success": False, "error": ""},
        [],
        "OK",
    ],
    ids=str,
)
async def test_an_error_for_old_devices_that_is_not_of_the_form_is_nonsense(answering, body):
    read, _ = await answering(503, body).submit_legacy("key", "{}")
    assert (read.fate, read.malformed) == (Fate.UNKNOWN, True)


async def test_an_error_for_old_devices_has_its_delay_in_the_header(answering):
    body = {"success": False, "error": "NOT_DURABLE", "retryAfter": "2"}
    read, _ = await answering(503, body).submit_legacy("key", "{}")
    assert (read.reason, read.retry_delay) == ("NOT_DURABLE", 2.0)

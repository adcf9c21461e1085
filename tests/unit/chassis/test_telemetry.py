from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
from opentelemetry import trace

from services.chassis import telemetry
from services.chassis.settings import Secret

API_KEY = "kmp_scanner_7_0190163d-8694-739b-aea5-966c26f8ad91"
JWT = "eyJhbGciOiJFZERTQSIsImtpZCI6IngifQ.eyJzdWIiOiJ4In0.c2lnbmF0dXJl_-x"
SECRETS = [
    (API_KEY, API_KEY),
    (JWT, JWT),
    ("postgresql+asyncpg://app:hunter2@127.0.0.1:5432/scanmesh", "hunter2"),
    ("redis://:hunter2@127.0.0.1:6379/0", "hunter2"),
    ("nats://a:hunter2@one:4222,nats://a:hunter2@two:4222", "hunter2"),
    ("nats://a:hunt@er2@one:4222", "er2"),
]


class Log:
    """A logger of its own, and the lines it wrote."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(telemetry.JsonFormatter("demo"))
        self.logger = logging.getLogger("tests.demo")

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    log.logger.addHandler(log.handler)
    log.logger.setLevel("INFO")
    yield log
    log.logger.removeHandler(log.handler)


def fail(message: str) -> None:
    raise ValueError(message)


def test_a_line_is_one_json_object(log: Log) -> None:
    log.logger.warning("%s\nand more", "text", extra={"count": 3, "what": {"a": [1]}, "odd": Secret("x")})
    (line,) = log.lines()
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "service": "demo",
        "logger": "tests.demo",
        "message": "text\nand more",
        "count": 3,
        "what": {"a": [1]},
        "odd": "Secret(…)",
    }


async def test_ids_are_bound_to_the_call_that_bound_them(log: Log) -> None:
    both_bound = asyncio.Barrier(2)

    async def call(scan_id: str) -> None:
        telemetry.bind(request_id=f"r-{scan_id}")
        telemetry.bind(scan_id=scan_id)
        await both_bound.wait()
        log.logger.info("at work", extra={"call": scan_id})

    await asyncio.gather(call("one"), call("two"))
    log.logger.info("outside")
    *inside, outside = log.lines()
    assert {(line["call"], line["scan_id"], line["request_id"]) for line in inside} == {
        ("one", "one", "r-one"),
        ("two", "two", "r-two"),
    }
    assert not {"scan_id", "request_id"} & set(outside)
    assert telemetry.request_id() == ""


def test_a_line_names_the_trace_it_belongs_to(log: Log) -> None:
    context = trace.SpanContext(0xABC, 0x1, is_remote=True, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(context)):
        log.logger.info("inside")
    log.logger.info("outside")
    inside, outside = log.lines()
    assert inside["trace_id"] == f"{0xABC:032x}"
    assert "trace_id" not in outside


def test_a_trace_is_carried_on_and_read_again() -> None:
    sent = {"traceparent": f"00-{0xABC:032x}-{1:016x}-01", "x-request-id": "r-1"}

    def call() -> dict[str, str]:
        telemetry.join_trace(sent)
        return telemetry.outgoing()

    assert copy_context().run(call) == {"traceparent": sent["traceparent"]}
    assert telemetry.outgoing() == {}


@pytest.mark.parametrize(("shown", "secret"), SECRETS)
def test_no_line_holds_a_credential(log: Log, shown: str, secret: str) -> None:
    log.logger.info(shown)
    log.logger.info("of %s", shown)
    log.logger.info("extra", extra={"url": shown, "nested": {"list": [shown]}})
    log.logger.info("object", extra={"odd": ValueError(shown)})
    assert secret not in log.text
    assert log.text.count("[redacted]") >= 4
    log.lines()  # still JSON


@pytest.mark.parametrize(("shown", "secret"), SECRETS)
def test_no_traceback_holds_a_credential(log: Log, shown: str, secret: str) -> None:
    try:
        try:
            fail(shown)
        except ValueError as error:
            raise RuntimeError("chained") from error
    except RuntimeError:
        log.logger.exception("fault")
    (line,) = log.lines()
    assert "chained" in line["exception"]
    assert "ValueError" in line["exception"]
    assert secret not in log.text


@pytest.mark.parametrize(
    "harmless",
    [
        "http://127.0.0.1:8080/v1/scans:batch?to=a@b",
        "see https://example.com, or write to a@b.example",
        "scan 0190163d-8694-739b-aea5-966c26f8ad91 of company 7",
    ],
)
def test_what_is_no_credential_stays(harmless: str) -> None:
    assert telemetry.redact(harmless) == harmless

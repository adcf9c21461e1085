"""Logs, traces and metrics: JSON lines on stderr, W3C trace context in and out, a Prometheus page.

A line carries the ids of the call it belongs to (`request_id`, what was bound, such as `scan_id`, and the `trace_id` if
its caller has sent one).
Credentials are not logged by anyone; what looks like one is blanked all the same, as the last line of defence.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from opentelemetry import context, metrics, trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import start_http_server

from services.chassis.settings import ProcessSettings

_bound: ContextVar[Mapping[str, str]] = ContextVar("bound", default={})  # noqa: B039 - never mutated

_SECRETS = re.compile(
    r"kmp_scanner_\d+_[0-9A-Za-z-]+"  # API keys
    r"|kmr_\d+_[\w-]+"  # refresh tokens
    r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+"  # JWTs
    r'|(?<=://)[^/\s"]*:[^/\s"]*(?=@)'  # user and password of a URL, or the password alone
)
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def bind(**ids: str) -> None:
    """Add ids to every log line of the call in progress."""
    _bound.set({**_bound.get(), **ids})


def request_id() -> str:
    """Answer the id of the request in progress; empty outside of one."""
    return _bound.get().get("request_id", "")


def redact(text: str) -> str:
    """Blank whatever looks like a credential."""
    return _SECRETS.sub("[redacted]", text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the bound ids, and the record's extras."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **_trace_ids(),
            **_bound.get(),
            **{key: value for key, value in record.__dict__.items() if key not in _STANDARD},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, default=str, ensure_ascii=False))


@contextmanager
def configured(service: str, settings: ProcessSettings) -> Iterator[None]:
    """Set up logs and metrics for this process; one process is one service."""
    log_to_stderr(service, settings.log_level)
    resource = Resource.create({"service.name": service})
    meter_provider = MeterProvider(resource=resource, metric_readers=[PrometheusMetricReader()])
    metrics.set_meter_provider(meter_provider)
    host, _, port = settings.metrics_listen.rpartition(":")
    page, thread = start_http_server(int(port), host)
    try:
        yield
    finally:
        page.shutdown()
        page.server_close()
        thread.join()
        meter_provider.shutdown()


def log_to_stderr(service: str, level: str = "INFO") -> None:
    """Send every log line of this process to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def meter(name: str) -> metrics.Meter:
    """Answer the meter of a module; instruments may be made at import."""
    return metrics.get_meter(name)


def join_trace(metadata: Mapping[str, Any]) -> None:
    """Make the trace that a caller sent (`traceparent`) that of the call in progress.

    No span is made, for none is exported: the caller's goes on with everything this call sends.
    """
    context.attach(extract(metadata))


def outgoing() -> dict[str, str]:
    """Answer the headers that carry the current trace on: to a service, or with a message."""
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier


def _trace_ids() -> dict[str, str]:
    context = trace.get_current_span().get_span_context()
    return {"trace_id": f"{context.trace_id:032x}"} if context.is_valid else {}

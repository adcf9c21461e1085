"""Who uses a mesh from outside: devices, operators, a platform admin; and an inspector who looks at its stores.

Everything here goes through the edge, but for the inspector, who only reads.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import grpc
import httpx
import nats
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from scanmesh.ingest.v1 import events_pb2, ingest_pb2, ingest_pb2_grpc, scan_pb2

GTIN = "4006381333931"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, as a device's author would look at it."""

    status: int
    body: Any
    headers: httpx.Headers

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        is_json = response.headers.get("content-type", "").startswith("application/json")
        return cls(response.status_code, response.json() if is_json else response.text, response.headers)

    def detail(self, name: str) -> dict[str, Any] | None:
        kind = f"type.googleapis.com/google.rpc.{name}"
        return next((detail for detail in self.body["details"] if detail["@type"] == kind), None)

    @property
    def reason(self) -> str:
        info = self.detail("ErrorInfo")
        assert info is not None, self.body
        assert info["domain"] == "scanmesh.dev"
        return str(info["reason"])

    @property
    def retry_delay(self) -> float | None:
        """Seconds; asserts that Retry-After goes with RetryInfo, both or neither."""
        info = self.detail("RetryInfo")
        assert (info is None) == ("retry-after" not in self.headers), (self.body, self.headers)
        return None if info is None else float(info["retryDelay"].removesuffix("s"))

    @property
    def violated(self) -> set[str]:
        request = self.detail("BadRequest")
        return set() if request is None else {each["field"] for each in request["fieldViolations"]}


_NO_CA = ssl.create_default_context()  # made once: it is slow, and plain HTTP needs none


class Http:
    """Calls one base address with fixed headers, each time on a connection of its own."""

    def __init__(self, base: str, headers: dict[str, str] | None = None, **options: Any) -> None:
        self._options = {
            "base_url": base,
            "headers": headers or {},
            "verify": _NO_CA,
            "timeout": 15,
            **options,
        }

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        content = {} if body is None else {"json": body}
        with httpx.Client(**self._options) as client:
            return Answer.of(client.request(method, path, **content, **options))

    def get(self, path: str, **options: Any) -> Answer:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.call("POST", path, body, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.call("PATCH", path, body, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self.call("DELETE", path, **options)


def scan(**changes: Any) -> dict[str, Any]:
    """Make a good scan as JSON, with changes."""
    return {"scanId": str(uuid.uuid4()), "barcode": {"data": GTIN}, **changes}


def scan_message(**changes: Any) -> scan_pb2.Scan:
    """Make a good scan as a message, with changes."""
    return scan_pb2.Scan(**{"scan_id": str(uuid.uuid4()), "barcode": scan_pb2.Barcode(data=GTIN), **changes})


@dataclass(frozen=True)
class Device:
    """A registered scanner with its key."""

    base: str
    company_id: int
    scanner_id: str
    api_key: str
    http: Http = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "http", Http(self.base, {"x-api-key": self.api_key}))

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("x-api-key", self.api_key),)

    def submit(self, body: dict[str, Any]) -> Answer:
        return self.http.post("/v1/scans", body)

    @contextmanager
    def stub(self) -> Iterator[ingest_pb2_grpc.IngestServiceStub]:
        with grpc.insecure_channel(self.base.removeprefix("http://")) as channel:
            yield ingest_pb2_grpc.IngestServiceStub(channel)


class Operator:
    """A signed-in user of a company, or a platform admin."""

    def __init__(self, base: str, email: str, password: str) -> None:
        answer = Http(base).post("/v1/sessions", {"email": email, "password": password})
        assert answer.status == 200, answer
        self.session = answer.body
        self.http = Http(base, {"authorization": f"Bearer {self.session['accessToken']}"})


class Company:
    """A company of one test, with an admin who registers its scanners."""

    def __init__(self, base: str, platform: Operator, **fields: Any) -> None:
        created = platform.http.post("/v1/companies", {"displayName": "Test", **fields})
        assert created.status == 200, created
        self.base = base
        self.platform = platform
        self.id: int = created.body["company"]["companyId"]
        self.path = f"/v1/companies/{self.id}"
        self.admin = self.user("ROLE_ADMIN")

    def user(self, role: str) -> Operator:
        email, password = f"{uuid.uuid4()}@example.com", uuid.uuid4().hex
        user = {"email": email, "password": password, "role": role}
        created = self.platform.http.post(f"{self.path}/users", user)
        assert created.status == 200, created
        return Operator(self.base, email, password)

    def scanner(self, **fields: Any) -> Device:
        body = {"displayName": "Gun", "type": "SCANNER_TYPE_HANDHELD", **fields}
        answer = self.admin.http.post(f"{self.path}/scanners", body)
        assert answer.status == 200, answer
        return Device(self.base, self.id, answer.body["scanner"]["scannerId"], answer.body["apiKey"])


def error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo:
    """Unpack the ErrorInfo of a failed native call."""
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(error)
    assert status is not None, error
    assert any(detail.Unpack(info) for detail in status.details), status
    return info


def stored_scans(description: dict[str, Any], *scan_ids: str) -> list[scan_pb2.Scan]:
    """Answer the copies of these scans that are in the stream SCANS."""
    return [
        each
        for _, message in asyncio.run(_scans_stream(description["nats"]))
        for submission in message.submissions
        for each in submission.scans
        if each.scan_id in scan_ids
    ]


def submission_of(description: dict[str, Any], scan_id: str) -> events_pb2.Submission:
    """Answer what was put on the stream with a scan: who sent it, when it was accepted."""
    return next(
        submission
        for _, message in asyncio.run(_scans_stream(description["nats"]))
        for submission in message.submissions
        if any(each.scan_id == scan_id for each in submission.scans)
    )


def lane_of(description: dict[str, Any], scan_id: str) -> str:
    """Answer the lane on which a scan is in the stream."""
    return next(
        subject.rpartition(".")[2]
        for subject, message in asyncio.run(_scans_stream(description["nats"]))
        for submission in message.submissions
        if any(each.scan_id == scan_id for each in submission.scans)
    )


async def _scans_stream(url: str) -> list[tuple[str, events_pb2.ScansAccepted]]:
    """Answer the latest messages of SCANS, each with its subject."""
    client = await nats.connect(url)
    try:
        jetstream = client.jetstream()
        state = (await jetstream.stream_info("SCANS")).state
        first = max(state.first_seq, state.last_seq - 500)
        messages = [await jetstream.get_msg("SCANS", seq) for seq in range(first, state.last_seq + 1)]
    finally:
        await client.close()
    return [
        (message.subject or "", events_pb2.ScansAccepted.FromString(message.data or b""))
        for message in messages
    ]


def eventually(check: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Poll until `check` holds; answer how long that took."""
    start = time.monotonic()
    while not check():
        assert time.monotonic() - start < seconds, f"not within {seconds} s: {what}"
    return time.monotonic() - start


def batch_request(*scans: scan_pb2.Scan) -> ingest_pb2.SubmitScansRequest:
    return ingest_pb2.SubmitScansRequest(scans=scans)

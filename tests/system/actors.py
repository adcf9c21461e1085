"""Who uses a mesh from outside: devices, operators, a platform admin. All of them come through the edge."""

from __future__ import annotations

import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc, scan_pb2

from services.chassis.errors import RETRY_AFTER_KEY

GTIN = "4006381333931"
_INSIST_SECONDS = 10.0
_PAUSE_SECONDS = 0.02
"""Between two looks: whoever looks all the time takes the CPU from what it waits for."""


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
        self.headers = headers or {}
        self._options = {
            "base_url": base,
            "headers": self.headers,
            "verify": _NO_CA,
            "timeout": 15,
            **options,
        }

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        content = {} if body is None else {"json": body}
        with httpx.Client(**self._options) as client:
            return Answer.of(client.request(method, path, **content, **options))

    def insist(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Call until it works; again as long as the answer says that it may help."""
        answers = [self.call(method, path, body, **options)]

        def done() -> bool:
            if answers[-1].status != 200:
                assert answers[-1].retry_delay, answers[-1]
                answers.append(self.call(method, path, body, **options))
            return answers[-1].status == 200

        eventually(done, seconds=_INSIST_SECONDS, what=f"{method} {path}")
        return answers[-1]

    def get(self, path: str, **options: Any) -> Answer:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.call("POST", path, body, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.call("PATCH", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.call("PUT", path, body, **options)

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
        self.session = Http(base).insist("POST", "/v1/sessions", {"email": email, "password": password}).body
        self.http = Http(base, {"authorization": f"Bearer {self.session['accessToken']}"})


class Company:
    """A company of one test, as the platform admin looks after it."""

    def __init__(self, base: str, platform: Operator, **fields: Any) -> None:
        created = platform.http.insist("POST", "/v1/companies", {"displayName": "Test", **fields})
        self.base = base
        self.platform = platform
        self.id: int = created.body["company"]["companyId"]
        self.path = f"/v1/companies/{self.id}"
        self.reader = Http(base, platform.http.headers, params={"companyId": self.id})

    @cached_property
    def admin(self) -> Operator:
        """An admin of its own; made when first asked for, since passwords are slow."""
        return self.user("ROLE_ADMIN")

    def user(self, role: str) -> Operator:
        email, password = f"{uuid.uuid4()}@example.com", uuid.uuid4().hex
        user = {"email": email, "password": password, "role": role}
        self.platform.http.insist("POST", f"{self.path}/users", user)
        return Operator(self.base, email, password)

    def scanner(self, **fields: Any) -> Device:
        body = {"displayName": "Gun", "type": "SCANNER_TYPE_HANDHELD", **fields}
        answer = self.platform.http.insist("POST", f"{self.path}/scanners", body)
        return Device(self.base, self.id, answer.body["scanner"]["scannerId"], answer.body["apiKey"])

    def limit(self, name: str, value: int | None, scanner: Device | None = None) -> dict[str, Any]:
        """Override a limit of the company or of one scanner; None takes the override back."""
        holder = self.path if scanner is None else f"{self.path}/scanners/{scanner.scanner_id}"
        method, body = ("DELETE", None) if value is None else ("PUT", {"value": value})
        answer = self.platform.http.insist(method, f"{holder}/limits/{name}", body)
        limit: dict[str, Any] = answer.body["limit"]
        return limit

    def without_limits(self) -> Self:
        """Take the limits out of the way of a test that is about something else."""
        for name in ("scanner.minute", "company.minute"):
            self.limit(name, 1_000_000)
        return self

    def limits(self, scanner: Device | None = None) -> dict[str, dict[str, Any]]:
        """Answer the limits as an operator sees them, by name."""
        query = {} if scanner is None else {"scannerId": scanner.scanner_id}
        answer = self.platform.http.insist("GET", f"{self.path}/limits", params=query)
        return {limit["name"]: limit for limit in answer.body["limits"]}

    def subscribe(self, plan: str, **fields: Any) -> Answer:
        return self.platform.http.patch(f"{self.path}/subscription", {"plan": plan, **fields})

    def usage(self, period: str = "") -> int:
        """Answer the scans that are metered, of a month or of this one."""
        query = {"period": period} if period else {}
        answer = self.platform.http.insist("GET", f"{self.path}/usage", params=query)
        return sum(int(usage["quantity"]) for usage in answer.body["usage"] if usage["meter"] == "scans")

    def invoiced(self) -> int:
        """Answer the scans on the invoice of this month, as it would be now."""
        answer = self.platform.http.insist("GET", f"{self.path}/invoices:preview")
        return sum(
            int(line["quantity"]) for line in answer.body["invoice"]["lines"] if line["meter"] == "scans"
        )

    def dead_letters(self) -> list[dict[str, Any]]:
        answer = self.reader.insist("GET", "/v1/deadLetters")
        letters: list[dict[str, Any]] = answer.body["deadLetters"]
        return letters

    def replay(self, *letters: dict[str, Any]) -> Answer:
        ids = [letter["deadLetterId"] for letter in letters]
        body = {"companyId": self.id, "deadLetterIds": ids}
        return self.platform.http.post("/v1/deadLetters:replay", body)


def error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo:
    """Unpack the ErrorInfo of a failed native call."""
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(error)
    assert status is not None, error
    assert any(detail.Unpack(info) for detail in status.details), status
    return info


def eventually(check: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Poll until `check` holds; answer how long that took."""
    start = time.monotonic()
    while not check():
        assert time.monotonic() - start < seconds, f"not within {seconds} s: {what}"
        time.sleep(_PAUSE_SECONDS)
    return time.monotonic() - start


def batch_request(*scans: scan_pb2.Scan) -> ingest_pb2.SubmitScansRequest:
    return ingest_pb2.SubmitScansRequest(scans=scans)


def refuses_natively(device: Device, message: scan_pb2.Scan, reason: str) -> None:
    """Want both calls of a native device to be told to come again, for a reason."""
    with device.stub() as stub:
        for call, request in (
            (stub.SubmitScan, ingest_pb2.SubmitScanRequest(scan=message)),
            (stub.SubmitScans, batch_request(message)),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                call(request, metadata=device.metadata)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert error_info(caught.value).reason == reason
            assert RETRY_AFTER_KEY in dict(caught.value.trailing_metadata())

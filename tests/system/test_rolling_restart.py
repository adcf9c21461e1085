"""A rolling restart, as a new version is rolled out: two replicas of everything, one after the other stopped and started.

Nobody is to notice who follows the contract's retry rule, of devices that send scans over both protocols, and of operators
who read from every service: nearly all calls work, and a few are told to come again.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Self

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from deploy.local.mesh import Mesh
from deploy.local.roster import PROCESSES
from deploy.local.unit import State
from tests.system.actors import (
    Answer,
    Company,
    Device,
    Operator,
    batch_request,
    eventually,
    scan,
    scan_message,
)
from tests.system.books import assert_balanced

_TEST_SECONDS = 180
_RESTART_SECONDS = 20.0
_PAUSE_SECONDS = 0.02
OK, AGAIN = "works", "is told to come again"
_FEW = 0.03
_SEEN_SECONDS = 1.0
"""After a replica is ready, until the edge and its peers have found it: an operator's rollout waits as long."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with Mesh(tmp_path_factory.mktemp("rolling"), replicas=2) as mesh:
        yield mesh


@pytest.fixture(scope="module")
def company(pair: Mesh) -> Company:
    described = pair.describe()
    base = described["edge"]["http"]
    return Company(base, Operator(base, **described["demo"]["platform_admin"])).without_limits()


class Caller:
    """Makes one call again and again, from a thread of its own, and counts what came of it."""

    def __init__(self, call: Callable[[], str]) -> None:
        """Describe it; `call` answers `OK`, `AGAIN`, or what went wrong."""
        self.outcomes: Counter[str] = Counter()
        self._call = call
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._enough.is_set():
            self.outcomes[self._call()] += 1
            time.sleep(_PAUSE_SECONDS)


def singles(device: Device, accepted: list[str]) -> str:
    body = scan()
    answer = device.submit(body)
    accepted.extend([body["scanId"]] if answer.status == 200 else [])
    return _outcome(answer)


def _outcome(answer: Answer) -> str:
    if answer.status == 200:
        return OK
    return AGAIN if answer.retry_delay else f"{answer.status} {answer.body}"


def batches(device: Device, accepted: list[str]) -> Callable[[], str]:
    channel = grpc.insecure_channel(device.base.removeprefix("http://"))
    submit = channel.unary_unary(
        "/scanmesh.ingest.v1.IngestService/SubmitScans",
        request_serializer=lambda request: request.SerializeToString(),
    )

    def call() -> str:
        scans = [scan_message() for _ in range(10)]
        try:
            submit(batch_request(*scans), metadata=device.metadata, timeout=10)
        except grpc.RpcError as error:
            return AGAIN if _retry_delay(error) else f"{error.code()} {error.details()}"
        accepted.extend(each.scan_id for each in scans)
        return OK

    return call


def _retry_delay(error: grpc.RpcError) -> float:
    """Seconds; 0 without one."""
    status, info = rpc_status.from_call(error), error_details_pb2.RetryInfo()
    found = status is not None and any(detail.Unpack(info) for detail in status.details)
    return info.retry_delay.ToTimedelta().total_seconds() if found else 0.0


def reads(company: Company, paths: Sequence[str]) -> Callable[[], str]:
    def call() -> str:
        for path in paths:
            if (outcome := _outcome(company.reader.get(path))) != OK:
                return outcome
        return OK

    return call


@pytest.mark.timeout(_TEST_SECONDS)
def test_no_call_fails_while_every_replica_is_restarted(pair: Mesh, company: Company) -> None:
    device, other = company.scanner(), company.scanner()
    accepted: list[str] = []
    known = scan()
    assert device.submit(known).status == 200
    eventually(
        lambda: company.reader.get(f"/v1/scans/{known['scanId']}/enrichment").status == 200,
        seconds=10,
        what="the scan to be enriched",
    )
    paths = [
        f"/v1/scans/{known['scanId']}",
        f"/v1/scans/{known['scanId']}/enrichment",
        f"{company.path}/limits",
        f"{company.path}/usage",
        f"{company.path}/scanners",
    ]
    with (
        Caller(lambda: singles(device, accepted)) as single,
        Caller(batches(other, accepted)) as batch,
        Caller(reads(company, paths)) as read,
    ):
        for process in PROCESSES:
            for place in range(2):
                _restart(pair, process, place)
    for caller in (single, batch, read):
        assert caller.outcomes.keys() <= {OK, AGAIN}, caller.outcomes
        assert caller.outcomes[OK] > 100
        assert caller.outcomes[AGAIN] <= _FEW * caller.outcomes[OK]
    assert_balanced(pair.describe(), company, [known["scanId"], *accepted])


def _restart(pair: Mesh, process: str, place: int) -> None:
    before = pair.describe()["processes"][process][place]
    os.kill(before, signal.SIGTERM)

    def is_back() -> bool:
        states = {part.state for part in pair.parts()}
        return pair.describe()["processes"][process][place] != before and states <= {State.READY, State.DONE}

    eventually(is_back, seconds=_RESTART_SECONDS, what=f"replica {place} of {process} is back")
    time.sleep(_SEEN_SECONDS)

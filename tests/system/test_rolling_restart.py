"""A rolling restart, as a new version is rolled out: two replicas of everything, one after the other stopped and started.

Nobody is to notice who follows the contract's retry rule, of devices that send scans over both protocols, and of operators
who read from every service: nearly all calls work, and a few are told to come again.
"""

from __future__ import annotations

import itertools
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
from scanmesh.ingest.v1 import ingest_pb2_grpc

from deploy.local.mesh import Mesh
from deploy.local.roster import PROCESSES
from deploy.local.unit import State
from tests.system.actors import (
    Answer,
    Company,
    Device,
    batch_request,
    eventually,
    scan,
    scan_message,
)
from tests.system.books import assert_balanced

_TEST_SECONDS = 300
"""Starting and stopping the mesh included, on a machine that gives a third of what it usually does (seen)."""
_RESTART_SECONDS = 20.0
_PAUSE_SECONDS = 0.02
OK, AGAIN = "works", "is told to come again"
_FEW = 0.03
_SEEN_SECONDS = 1.0
"""After a replica is ready, until the edge and its peers have found it: an operator's rollout waits as long."""


class Caller:
    """Goes on calling, from a thread of its own, and counts the answers by what they said."""

    def __init__(self, call: Callable[[], Iterator[str]]) -> None:
        """Describe it; `call` calls until it has worked, and yields `OK`, `AGAIN`, or what went wrong."""
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
            for outcome in self._call():
                self.outcomes[outcome] += 1
                time.sleep(_PAUSE_SECONDS)


def _until_it_works(attempt: Callable[[], str]) -> Iterator[str]:
    """Follow the contract's rule: what is told to come again comes again."""
    outcome = AGAIN
    while outcome == AGAIN:
        outcome = attempt()
        yield outcome


def _outcome(answer: Answer) -> str:
    if answer.status == 200:
        return OK
    return AGAIN if answer.retry_delay else f"{answer.status} {answer.body}"


def singles(device: Device, sent: list[str]) -> Iterator[str]:
    body = scan()
    sent.append(body["scanId"])
    return _until_it_works(lambda: _outcome(device.submit(body)))


def batches(device: Device, sent: list[str]) -> Callable[[], Iterator[str]]:
    ingest = ingest_pb2_grpc.IngestServiceStub(grpc.insecure_channel(device.base.removeprefix("http://")))

    def call() -> Iterator[str]:
        scans = [scan_message() for _ in range(10)]
        sent.extend(each.scan_id for each in scans)

        def attempt() -> str:
            try:
                answer = ingest.SubmitScans(batch_request(*scans), metadata=device.metadata, timeout=10)
            except grpc.RpcError as error:
                return AGAIN if _retry_delay(error) else f"{error.code()} {error.details()}"
            refused = {
                rejection.scan_id: rejection.HasField("retry_delay") for rejection in answer.rejections
            }
            scans[:] = [each for each in scans if each.scan_id in refused]
            return (AGAIN if all(refused.values()) else f"{answer.rejections}") if refused else OK

        return _until_it_works(attempt)

    return call


def _retry_delay(error: grpc.RpcError) -> float:
    """Seconds; 0 without one."""
    status, info = rpc_status.from_call(error), error_details_pb2.RetryInfo()
    found = status is not None and any(detail.Unpack(info) for detail in status.details)
    return info.retry_delay.ToTimedelta().total_seconds() if found else 0.0


def reads(company: Company, paths: Sequence[str]) -> Callable[[], Iterator[str]]:
    turns = itertools.cycle(paths)

    def call() -> Iterator[str]:
        path = next(turns)
        return _until_it_works(lambda: _outcome(company.reader.get(path)))

    return call


@pytest.mark.timeout(_TEST_SECONDS)
def test_no_call_fails_while_every_replica_is_restarted(pair: Mesh, pair_company: Company) -> None:
    device, other = pair_company.scanner(), pair_company.scanner()
    sent: list[str] = []
    known = scan()
    assert device.submit(known).status == 200
    eventually(
        lambda: pair_company.reader.get(f"/v1/scans/{known['scanId']}/enrichment").status == 200,
        seconds=10,
        what="the scan to be enriched",
    )
    paths = [
        f"/v1/scans/{known['scanId']}",
        f"/v1/scans/{known['scanId']}/enrichment",
        f"{pair_company.path}/limits",
        f"{pair_company.path}/usage",
        f"{pair_company.path}/scanners",
    ]
    with (
        Caller(lambda: singles(device, sent)) as single,
        Caller(batches(other, sent)) as batch,
        Caller(reads(pair_company, paths)) as read,
    ):
        for process in PROCESSES:
            for place in range(2):
                _restart(pair, process, place)
    for caller in (single, batch, read):
        assert caller.outcomes.keys() <= {OK, AGAIN}, caller.outcomes
        assert caller.outcomes[OK] > 100
        assert caller.outcomes[AGAIN] <= _FEW * caller.outcomes[OK]
    assert_balanced(pair.describe(), pair_company, [known["scanId"], *sent])


def _restart(pair: Mesh, process: str, place: int) -> None:
    before = pair.describe()["processes"][process][place]
    os.kill(before, signal.SIGTERM)

    def is_back() -> bool:
        states = {part.state for part in pair.parts()}
        return pair.describe()["processes"][process][place] != before and states <= {State.READY, State.DONE}

    eventually(is_back, seconds=_RESTART_SECONDS, what=f"replica {place} of {process} is back")
    time.sleep(_SEEN_SECONDS)

"""The disk (full): new scans are refused below a reserve; what was accepted stays and drains; it comes back by itself."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import nats
import pytest
from nats.errors import TimeoutError as NoAnswer

from deploy.local.environments import STORES_RESERVE_BYTES
from services.chassis.subjects import Kind, scan_enriched
from tests.system import on_disk
from tests.system.actors import (
    Answer,
    Company,
    Device,
    Operator,
    eventually,
    refuses_natively,
    scan,
    scan_message,
)
from tests.system.books import assert_balanced
from tests.system.inspector import Description, stored_scans, waiting_scans
from tests.system.on_disk import DiskMesh

SEEN_SECONDS = 5.0
"""Ingest looks each second."""
BACK_SECONDS = 20.0
_MESSAGE = bytes(64 * 1_024)
_TRIES = 200


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DiskMesh]:
    folder = tmp_path_factory.mktemp("disk")
    with on_disk.running(folder) as mesh:
        if mesh.absent is not None:
            pytest.skip(f"no disk that could be filled: {mesh.absent}")
        yield mesh
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def company(mesh: DiskMesh) -> Company:
    described = mesh.describe()
    base = described["edge"]["http"]
    return Company(base, Operator(base, **described["demo"]["platform_admin"])).without_limits()


class Sender:
    """A device with a book of what it has sent: what was not accepted it keeps, and sends again in the end."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.accepted: list[str] = []
        self._kept: list[dict[str, Any]] = []

    def submit(self) -> Answer:
        return self._send(scan())

    def until_refused(self) -> None:
        def refused() -> bool:
            answer = self.submit()
            return answer.status == 503 and answer.reason == "OVERLOADED"

        eventually(refused, seconds=SEEN_SECONDS, what="scans are refused")

    def until_accepted(self) -> None:
        eventually(lambda: self.submit().status == 200, seconds=BACK_SECONDS, what="scans are accepted again")

    def until_all_are(self) -> None:
        kept, self._kept = self._kept, []
        for body in kept:
            assert self._send(body).status == 200

    def _send(self, body: dict[str, Any]) -> Answer:
        answer = self.device.submit(body)
        if answer.status == 200:
            self.accepted.append(body["scanId"])
        else:
            self._kept.append(body)
        return answer


@pytest.fixture(scope="module")
def sender(company: Company) -> Sender:
    return Sender(company.scanner())


def refused_in_every_way(device: Device) -> Sequence[str]:
    """Want each way of handing scans over to be refused, typed; answer the ids of the scans."""
    single, first, second, native = scan(), scan(), scan(), scan_message()
    for answer in (
        device.submit(single),
        device.http.post("/v1/scans?bulk=true", single),
        device.http.post("/v1/scans:batch", {"scans": [first, second]}),
    ):
        assert (answer.status, answer.reason) == (503, "OVERLOADED")
        assert answer.retry_delay
    legacy = device.http.post("/api/scan", {"productId": "A"})
    assert (legacy.status, legacy.body["error"]) == (503, "OVERLOADED")
    assert "retry-after" in legacy.headers
    refuses_natively(device, native, "OVERLOADED")
    return [single["scanId"], first["scanId"], second["scanId"], native.scan_id]


async def fill_a_block(url: str) -> None:
    """Publish for nobody until a stream has met the full disk: from then on it does not answer."""
    client = await nats.connect(url)
    try:
        for _ in range(_TRIES):
            await client.jetstream(timeout=1).publish(scan_enriched(Kind.BARCODE, 2**31 - 1), _MESSAGE)
    finally:
        await client.close()


def pids_of_nats(description: Description) -> list[int]:
    pids: list[int] = description["processes"]["nats"]
    return pids


def test_below_the_reserve_scans_are_refused_and_what_was_accepted_drains(
    mesh: DiskMesh, company: Company, sender: Sender
) -> None:
    mesh.hold("ingest-recorder")
    sender.until_accepted()
    mesh.fill(STORES_RESERVE_BYTES // 2)
    sender.until_refused()
    refused = refused_in_every_way(sender.device)
    replay = company.replay({"deadLetterId": str(uuid.uuid4())})
    assert (replay.status, replay.reason) == (503, "OVERLOADED")
    assert len(waiting_scans(mesh.describe(), *sender.accepted)) == len(sender.accepted) > 0
    mesh.release("ingest-recorder")
    assert len(stored_scans(mesh.describe(), *sender.accepted)) == len(sender.accepted)
    mesh.clear()
    sender.until_accepted()
    sender.until_all_are()
    assert_balanced(mesh.describe(), company, sender.accepted)
    assert stored_scans(mesh.describe(), *refused) == []


def test_after_its_last_byte_was_taken_everything_comes_back_by_itself(
    mesh: DiskMesh, company: Company, sender: Sender
) -> None:
    described = mesh.describe()
    mesh.fill(STORES_RESERVE_BYTES // 2)
    sender.until_refused()  # before the last byte is gone: whoever publishes then waits for an answer until its deadline
    mesh.fill(0)
    with pytest.raises(NoAnswer):
        asyncio.run(fill_a_block(described["nats"]))
    assert pids_of_nats(mesh.describe()) == pids_of_nats(described)
    mesh.clear()

    def replaced() -> bool:
        return pids_of_nats(mesh.describe()) != pids_of_nats(described)

    eventually(replaced, seconds=BACK_SECONDS, what="NATS is started again, now that there is room")
    sender.until_accepted()
    sender.until_all_are()
    assert_balanced(mesh.describe(), company, sender.accepted)

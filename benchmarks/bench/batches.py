"""Batches over gRPC, from bytes that are made once."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import grpc
from scanmesh.ingest.v1 import ingest_pb2, scan_pb2

from benchmarks.bench.scan_ids import PLACEHOLDER, positions, prefix
from benchmarks.books.claims import Claims
from benchmarks.scan import BARCODE

_METHOD = "/scanmesh.ingest.v1.IngestService/SubmitScans"
_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)  # each channel has a connection of its own
_CALL_SECONDS = 15.0


class Batches:
    """Hands over batches of one scanner, all of one size."""

    def __init__(
        self, target: str, api_key: str, size: int, *, bulk: bool = False, connections: int = 4
    ) -> None:
        """Describe it; `target` is host and port of the edge."""
        self._template = request(size, bulk=bulk)
        self._positions = positions(size)
        self._metadata = (("x-api-key", api_key),)
        self._channels = [grpc.aio.insecure_channel(target, options=_OPTIONS) for _ in range(connections)]
        calls: list[Any] = [channel.unary_unary(_METHOD, None, _answer) for channel in self._channels]
        self._calls = itertools.cycle(calls)
        self._accepted: list[str] = []
        self._unsure: set[str] = set()
        """Batches that are under way, or were not accepted whole."""
        self.failures: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels))

    @property
    def limited(self) -> bool:
        """Whether a limit has refused some."""
        return not self.failures.keys().isdisjoint({"RATE_LIMITED", "RESOURCE_EXHAUSTED"})

    def claims(self, company_id: int) -> Claims:
        """Answer what was said of the scans; of a batch that was not accepted whole, nothing is claimed."""
        accepted = {(company_id, scan_id) for first in self._accepted for scan_id in self._ids(first)}
        unsure = {(company_id, scan_id) for first in self._unsure for scan_id in self._ids(first)}
        return Claims(accepted, unknown=unsure, refused=frozenset())

    async def send(self) -> int:
        """Hand over a batch; answer how many of its scans were accepted, and count why others were not."""
        return await self._send(prefix())

    async def send_named(self) -> Sequence[str]:
        """Hand over a batch; answer the ids of its scans, or none if not all of them were accepted."""
        first = prefix()
        whole = await self._send(first) == len(self._positions)
        return self._ids(first) if whole else []

    async def _send(self, first: str) -> int:
        self._unsure.add(first)
        accepted = await self._call(first)
        if accepted == len(self._positions):
            self._unsure.remove(first)
            self._accepted.append(first)
        return accepted

    def _ids(self, first: str) -> list[str]:
        return [first + position for position in self._positions]

    async def _call(self, first: str) -> int:
        body = self._template.replace(PLACEHOLDER.encode(), first.encode())
        try:
            answer = await next(self._calls)(body, metadata=self._metadata, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            self.failures[error.code().name] += len(self._positions)
            return 0
        self.failures.update(rejection.reason for rejection in answer.rejections)
        return int(answer.accepted_count)


def request(size: int, *, bulk: bool) -> bytes:
    """Write a batch whose ids all begin with the placeholder."""
    barcode = scan_pb2.Barcode(data=BARCODE)
    scans = [scan_pb2.Scan(scan_id=PLACEHOLDER + each, barcode=barcode) for each in positions(size)]
    return ingest_pb2.SubmitScansRequest(scans=scans, bulk=bulk).SerializeToString()


def _answer(data: bytes) -> Any:
    return ingest_pb2.SubmitScansResponse.FromString(data)

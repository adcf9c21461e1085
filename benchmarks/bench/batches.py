"""Batches over gRPC, from bytes that are made once: only the ids differ, all of the same length."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import grpc
from scanmesh.ingest.v1 import ingest_pb2, scan_pb2

from benchmarks.bench.scan_ids import ORDERED, Minting, prefix
from benchmarks.books.claims import Claims
from benchmarks.scan import BARCODE

_METHOD = "/scanmesh.ingest.v1.IngestService/SubmitScans"
_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)  # each channel has a connection of its own
_CONNECTIONS = 4
_CALL_SECONDS = 15.0
_PLACEHOLDER = str(UUID(int=0))


class Batches:
    """Hands over batches of some scanners in turn, all of one size."""

    def __init__(
        self,
        target: str,
        api_keys: Sequence[str],
        size: int,
        *,
        bulk: bool = False,
        minting: Minting = ORDERED,
    ) -> None:
        """Describe it; `target` is host and port of the edge."""
        self._template = template(size, bulk=bulk)
        self._size = size
        self._of_batch = minting.of_batch
        self._metadata = itertools.cycle([(("x-api-key", api_key),) for api_key in api_keys])
        self._channels = [grpc.aio.insecure_channel(target, options=_OPTIONS) for _ in range(_CONNECTIONS)]
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
        """Answer what was said of the scans, all of one company; of a batch not accepted whole, nothing is claimed."""
        accepted = {(company_id, scan_id) for name in self._accepted for scan_id in self._ids(name)}
        unsure = {(company_id, scan_id) for name in self._unsure for scan_id in self._ids(name)}
        return Claims(accepted, unknown=unsure, refused=frozenset())

    async def send(self) -> int:
        """Hand over a batch; answer how many of its scans were accepted, and count why others were not."""
        return await self._send(prefix())

    async def send_named(self) -> Sequence[str]:
        """Hand over a batch; answer the ids of its scans, or none if not all of them were accepted."""
        name = prefix()
        whole = await self._send(name) == self._size
        return self._ids(name) if whole else []

    async def _send(self, name: str) -> int:
        self._unsure.add(name)
        accepted = await self._call(name)
        if accepted == self._size:
            self._unsure.remove(name)
            self._accepted.append(name)
        return accepted

    def _ids(self, name: str) -> Sequence[str]:
        return self._of_batch(name, self._size)

    async def _call(self, name: str) -> int:
        body = self._template % tuple(scan_id.encode() for scan_id in self._ids(name))
        try:
            answer = await next(self._calls)(body, metadata=next(self._metadata), timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            self.failures[error.code().name] += self._size
            return 0
        self.failures.update(rejection.reason for rejection in answer.rejections)
        return int(answer.accepted_count)


def template(size: int, *, bulk: bool) -> bytes:
    """Write a batch with `%b` for each id."""
    scan = scan_pb2.Scan(scan_id=_PLACEHOLDER, barcode=scan_pb2.Barcode(data=BARCODE))
    whole = ingest_pb2.SubmitScansRequest(scans=[scan] * size, bulk=bulk).SerializeToString()
    return whole.replace(b"%", b"%%").replace(_PLACEHOLDER.encode(), b"%b")


def _answer(data: bytes) -> Any:
    return ingest_pb2.SubmitScansResponse.FromString(data)

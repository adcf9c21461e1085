"""Firmware: the generated stubs, on a few connections that it keeps."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc, scan_pb2

from benchmarks.client import answer
from benchmarks.client.answer import ACCEPTED, Answer

_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # each channel has a connection of its own
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class GrpcClient:
    """Calls the edge; every attempt has an answer, if only that there was none."""

    def __init__(self, target: str, *, connections: int = 4, timeout_seconds: float = 15.0) -> None:
        """Describe it; `target` is host and port of the edge."""
        self._channels = [grpc.aio.insecure_channel(target, options=_OPTIONS) for _ in range(connections)]
        stubs: list[Any] = [ingest_pb2_grpc.IngestServiceStub(channel) for channel in self._channels]
        self._stubs = itertools.cycle(stubs)
        self._timeout_seconds = timeout_seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def submit(self, api_key: str, scan: scan_pb2.Scan, *, bulk: bool = False) -> Answer:
        """Hand over one scan."""
        request = ingest_pb2.SubmitScanRequest(scan=scan, bulk=bulk)
        try:
            response = await next(self._stubs).SubmitScan(
                request, metadata=(("x-api-key", api_key),), timeout=self._timeout_seconds
            )
        except grpc.aio.AioRpcError as error:
            return failure(error)
        return ACCEPTED if response.scan_id == scan.scan_id else answer.nonsense(f"{response}")

    async def submit_batch(
        self,
        api_key: str,
        scans: Sequence[scan_pb2.Scan],
        *,
        bulk: bool = False,
        timeout_seconds: float | None = None,
    ) -> list[Answer]:
        """Hand over a batch; answer for each of its scans."""
        request = ingest_pb2.SubmitScansRequest(scans=scans, bulk=bulk)
        seconds = timeout_seconds or self._timeout_seconds
        try:
            response = await next(self._stubs).SubmitScans(
                request, metadata=(("x-api-key", api_key),), timeout=seconds
            )
        except grpc.aio.AioRpcError as error:
            return [failure(error)] * len(scans)
        rejected = {each.index: each for each in response.rejections}
        known = all(each.reason and _is_of(each, scans) for each in response.rejections)
        if not known or response.accepted_count + len(rejected) != len(scans):
            return [answer.nonsense(f"{response}")] * len(scans)
        return [_rejection(rejected[index]) if index in rejected else ACCEPTED for index in range(len(scans))]


def failure(error: Any) -> Answer:
    """Read a failed call; without anything from the edge it is the client's own word that there was no answer."""
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    status = rpc_status.from_call(error)
    details = [] if status is None else list(status.details)
    if not any(detail.Unpack(info) for detail in details):
        seen = f"{error.code().name} {error.details()}"
        # A service that was frozen says it when the caller's own deadline has passed: nobody is there to hear of a delay.
        late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        return answer.nonsense(seen) if error.trailing_metadata() and not late else answer.silence(seen)
    has_delay = any(detail.Unpack(retry) for detail in details)
    return answer.refusal(info.reason, retry.retry_delay.ToTimedelta().total_seconds() if has_delay else None)


def _is_of(rejection: ingest_pb2.Rejection, scans: Sequence[scan_pb2.Scan]) -> bool:
    return rejection.index < len(scans) and scans[rejection.index].scan_id == rejection.scan_id


def _rejection(rejection: ingest_pb2.Rejection) -> Answer:
    has_delay = rejection.HasField("retry_delay")
    return answer.refusal(
        rejection.reason, rejection.retry_delay.ToTimedelta().total_seconds() if has_delay else None
    )

"""Single scans over HTTP/1.1; a call that finds all connections taken waits for one, and its latency goes on counting."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from benchmarks.bench.scan_ids import ORDERED, Minting
from benchmarks.client.connections import Connections
from benchmarks.scan import BARCODE, new_id

_BODY = '{"scanId":"%s","barcode":{"data":"' + BARCODE + '"}}'


class Singles:
    """Posts scans of some scanners in turn."""

    def __init__(
        self, edge: str, api_keys: Sequence[str], *, connections: int = 64, minting: Minting = ORDERED
    ) -> None:
        """Describe it; `edge` is the URL of the edge."""
        address = urlsplit(edge)
        self._heads = itertools.cycle([_head(address.netloc, api_key) for api_key in api_keys])
        self._mint = minting.single
        self._connections = Connections(address.hostname or "", address.port or 0, at_most=connections)
        self.failures: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        await self._connections.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connections.__aexit__(kind, error, trace)

    async def send(self) -> int:
        """Hand over one scan; answer 1 if it was accepted, else 0, and count why."""
        try:
            request = (next(self._heads) + _BODY % self._mint()).encode()
            status, body = await self._connections.exchange(request)
        except (OSError, asyncio.IncompleteReadError) as error:
            status, body = 0, repr(error).encode()
        if status != 200:
            self.failures[f"{status} {body.decode()[:200]}"] += 1
        return int(status == 200)


def _head(host: str, api_key: str) -> str:
    return (
        f"POST /v1/scans HTTP/1.1\r\nhost: {host}\r\nx-api-key: {api_key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(_BODY % new_id())}\r\n\r\n"
    )

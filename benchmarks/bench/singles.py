"""Single scans over HTTP/1.1; a call that finds all connections taken waits for one, and its latency goes on counting."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from benchmarks.client.connections import Connections
from benchmarks.scan import BARCODE, new_id

_BODY = '{"scanId":"%s","barcode":{"data":"' + BARCODE + '"}}'


class Singles:
    """Posts scans of one scanner."""

    def __init__(self, edge: str, api_key: str, *, connections: int = 64) -> None:
        """Describe it; `edge` is the URL of the edge."""
        address = urlsplit(edge)
        self._head = (
            f"POST /v1/scans HTTP/1.1\r\nhost: {address.netloc}\r\nx-api-key: {api_key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(_BODY % new_id())}\r\n\r\n"
        )
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
            status, body = await self._connections.exchange((self._head + _BODY % new_id()).encode())
        except (OSError, asyncio.IncompleteReadError) as error:
            status, body = 0, repr(error).encode()
        if status != 200:
            self.failures[f"{status} {body.decode()[:200]}"] += 1
        return int(status == 200)

"""The port on which the edge asks about requests (Envoy's ext_authz over HTTP), and about auth's own health.

HTTP/1.1 and no RPC: it is asked before every call of the mesh, and a bare gRPC call costs six times as much here.

`/check` and then the path of the request: 200 lets it in, and what else is answered goes to its client; a 5xx the edge
turns into its own 503. `/live`: started and not stopping. `/ready`: credentials can be looked up now.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from services.auth.check import UNSURE, Answer, Doorkeeper
from services.chassis import telemetry
from services.chassis.needs import Need, met

CHECK = "/check"
LIVE = "/live"
READY = "/ready"
_CALL_SECONDS = 1.9
"""The edge waits for 2."""
_STOPPING_SECONDS = 0.4
"""For the edge to ask `/live` once more and turn elsewhere."""
_FINISH_SECONDS = 0.5
"""For checks in progress: the edge asks again whatever is cut."""
_IDLE_SECONDS = 3600.0
"""A connection is the edge's to close: were it ours, it would be closed under a question now and then."""
_BACKLOG = 1_024
"""Connections that wait to be accepted: the edge opens as many as it needs at once, where a gRPC client had one."""
_MOST_LINE = 128 * 1024
"""Bytes of a path, or of a header: more than the edge lets through."""

_log = logging.getLogger(__name__)
_duration = telemetry.meter(__name__).create_histogram(
    "auth.check.duration",
    unit="s",
    description="time from a question of the edge to its answer, by status",
    explicit_bucket_boundaries_advisory=[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5],
)


class CheckServer:
    """Answers the edge."""

    def __init__(
        self, doorkeeper: Doorkeeper, needs: Sequence[Need], is_stopping: Callable[[], bool]
    ) -> None:
        """Describe it.

        Args:
            doorkeeper: judges requests.
            needs: those of looking up a credential.
            is_stopping: whether the process has been told to stop, and will do so in a moment.
        """
        self._doorkeeper = doorkeeper
        self._needs = needs
        self._is_stopping = is_stopping
        self._told = asyncio.Event()
        """The edge knows that this replica stops."""
        self.port = 0

    @asynccontextmanager
    async def listening(self, address: str) -> AsyncIterator[None]:
        """Listen on `host:port`, port 0 picks a free one; at the end, what has arrived is answered."""
        host, _, port = address.rpartition(":")
        server = web.Server(
            self._answer,
            access_log=None,
            keepalive_timeout=_IDLE_SECONDS,
            max_line_size=_MOST_LINE,
            max_field_size=_MOST_LINE,
        )
        runner = web.ServerRunner(server, shutdown_timeout=_FINISH_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, int(port), backlog=_BACKLOG).start()
            self.port = runner.addresses[0][1]
            yield
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), _STOPPING_SECONDS)
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        path = request.raw_path
        if path.startswith(CHECK):
            response = await self._judge(request)
        elif path == LIVE:
            response = self._live()
        elif path == READY:
            response = web.Response(status=200 if await met(self._needs) else 503)
        else:
            response = web.Response(status=404)
        if self._is_stopping():
            response.force_close()  # the edge uses this connection no more
        return response

    def _live(self) -> web.Response:
        if not self._is_stopping():
            return web.Response(status=200)
        self._told.set()
        return web.Response(status=503)

    async def _judge(self, request: web.BaseRequest) -> web.Response:
        start = time.perf_counter()
        headers = _headers(request)
        telemetry.join_trace(headers)
        telemetry.bind(request_id=headers.get("x-request-id", ""))
        answer = await self._checked(headers)
        _duration.record(time.perf_counter() - start, {"status": answer.status})
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body.encode())

    async def _checked(self, headers: Mapping[str, str]) -> Answer:
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                return await self._doorkeeper.check(headers)
        except TimeoutError:
            _log.info("a check was not answered in time")
        except Exception:  # noqa: BLE001 - nobody is let in by a fault; the edge answers for us
            _log.exception("fault of a check")
        return UNSURE


def _headers(request: web.BaseRequest) -> dict[str, str]:
    """Answer the headers by their names in lower case, those that came twice joined: two keys are not one."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    return headers

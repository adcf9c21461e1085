"""Devices that post JSON: the API's own, and that of the old gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp

from benchmarks.client import answer
from benchmarks.client.answer import ACCEPTED, Answer

_OK = 200
_ABSENT = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


class HttpClient:
    """Calls the edge over kept HTTP/1.1 connections; every attempt has an answer, if only that there was none."""

    def __init__(self, base: str, *, connections: int = 64, timeout_seconds: float = 15.0) -> None:
        """Describe it; `base` is the URL of the edge."""
        self._session = aiohttp.ClientSession(
            base_url=base,
            connector=aiohttp.TCPConnector(limit=connections),
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            headers={"content-type": "application/json"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def submit(self, api_key: str, scan: Mapping[str, Any], *, bulk: bool = False) -> Answer:
        """Hand over one scan."""
        status, body = await self._post("/v1/scans" + _query(bulk=bulk), api_key, json.dumps(scan))
        if status != _OK:
            return _failure(status, body)
        known = isinstance(body, dict) and body.get("scanId") == scan["scanId"]
        return ACCEPTED if known else answer.nonsense(f"{status} {body}")

    async def submit_batch(
        self, api_key: str, scans: Sequence[Mapping[str, Any]], *, bulk: bool = False
    ) -> list[Answer]:
        """Hand over a batch; answer for each of its scans."""
        request = json.dumps({"scans": scans, "bulk": bulk})
        status, body = await self._post("/v1/scans:batch", api_key, request)
        if status != _OK:
            return [_failure(status, body)] * len(scans)
        return answer.of_rejections(body, [scan["scanId"] for scan in scans])

    async def submit_legacy(self, api_key: str, request: str) -> tuple[Answer, str]:
        """Post what an old device posts; answer what became of it, and the id it was given, if accepted."""
        status, body = await self._post("/api/scan", api_key, request)
        if status == _OK and isinstance(body, dict) and body.get("scanId"):
            return ACCEPTED, body["scanId"]
        return (_legacy_failure(status, body) if status else answer.silence(body)), ""

    async def _post(self, path: str, api_key: str, request: str) -> tuple[int, Any]:
        """Answer status and JSON; status 0 and why, if no whole answer came."""
        try:
            async with self._session.post(path, data=request, headers={"x-api-key": api_key}) as response:
                text = await response.text()
        except _ABSENT as error:
            return 0, repr(error)
        body = _parsed(text)
        if path == "/api/scan" and isinstance(body, dict):  # its errors have their delay in the header alone
            body["retryAfter"] = response.headers.get("retry-after")
        return response.status, body


def _failure(status: int, body: Any) -> Answer:
    return answer.of_json(status, body) if status else answer.silence(body)


def _legacy_failure(status: int, body: Any) -> Answer:
    try:
        reason, delay = body["error"], body["retryAfter"]
        if body["success"] is not False or not isinstance(reason, str) or not reason:
            return answer.nonsense(f"{status} {body}")
        return answer.refusal(reason, None if delay is None else float(delay))
    except answer.NOT_THE_FORM:
        return answer.nonsense(f"{status} {body}")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _query(*, bulk: bool) -> str:
    return "?bulk=true" if bulk else ""

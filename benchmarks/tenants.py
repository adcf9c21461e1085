"""Companies and scanners of the harness's own, made and looked at through the API by the platform admin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from benchmarks.client import answer
from benchmarks.client.answer import Duty
from benchmarks.mesh import Description

UNREACHED = 10**9
"""A limit that is on and never reached."""
_OK = 200
_PAGE = 1_000
_LOOKED_BACK = timedelta(days=40)
"""Longer ago no scan was scanned that is accepted now, and no plan hides what is as young."""
_CALL_SECONDS = 15.0
_INSIST_SECONDS = 60.0
_PAUSE_SECONDS = 0.2
_ABSENT = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


class ApiError(Exception):
    """The API does not do for the harness what it should."""


@dataclass(frozen=True, slots=True)
class Device:
    """A registered scanner with its key."""

    company_id: int
    scanner_id: str
    api_key: str


class Platform:
    """The platform admin, signed in; whatever is away is asked again, as the contract wants it of a client."""

    def __init__(self, session: aiohttp.ClientSession, login: Mapping[str, str]) -> None:
        self._session = session
        self._login = login
        self._token = ""

    async def company(self, plan: str, **limits: int) -> Company:
        """Make a company on a plan; its minute limits are out of reach, unless `scanner_minute` and the like say else."""
        created = await self.call("POST", "/v1/companies", {"displayName": f"Harness, {plan}"})
        company = Company(self, int(created["company"]["companyId"]))
        await self.call("PATCH", f"{company.path}/subscription", {"plan": plan})
        wanted = {"scanner_minute": UNREACHED, "company_minute": UNREACHED, **limits}
        await asyncio.gather(*(company.limit(name.replace("_", "."), wanted[name]) for name in wanted))
        return company

    async def call(
        self, method: str, path: str, body: Any = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Call until it works, for a minute at most; answer the body.

        Raises:
            ApiError: it is refused for good, or has not worked in time.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + _INSIST_SECONDS
        while True:
            status, answered = await self._once(method, path, body, params)
            if status == _OK:
                return answered
            failure = answer.of_json(status, answered) if status else answer.silence(answered)
            if failure.reason in {"TOKEN_EXPIRED", "CREDENTIALS_INVALID"} and path != "/v1/sessions":
                self._token = ""
            elif failure.duty is not Duty.AGAIN:
                raise ApiError(f"{method} {path}: {status} {answered}")
            if loop.time() > until:
                raise ApiError(f"{method} {path} has not worked for {_INSIST_SECONDS:.0f} s: {answered}")
            await asyncio.sleep(failure.retry_delay or _PAUSE_SECONDS)

    async def _once(
        self, method: str, path: str, body: Any, params: Mapping[str, Any] | None
    ) -> tuple[int, Any]:
        if not self._token and path != "/v1/sessions":
            self._token = (await self.call("POST", "/v1/sessions", self._login))["accessToken"]
        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            async with self._session.request(
                method, path, json=body, params=params, headers=headers
            ) as response:
                return response.status, await response.json(content_type=None)
        except (*_ABSENT, ValueError) as error:
            return 0, repr(error)


@dataclass(frozen=True)
class Company:
    """A company of the harness's own."""

    platform: Platform
    id: int

    @property
    def path(self) -> str:
        """Its path in the API."""
        return f"/v1/companies/{self.id}"

    async def scanner(self, kind: str = "FIXED") -> Device:
        """Register a scanner of a type."""
        body = {"displayName": "Harness", "type": f"SCANNER_TYPE_{kind}"}
        made = await self.platform.call("POST", f"{self.path}/scanners", body)
        return Device(self.id, made["scanner"]["scannerId"], made["apiKey"])

    async def limit(self, name: str, value: int) -> None:
        """Override a limit of the company."""
        await self.platform.call("PUT", f"{self.path}/limits/{name}", {"value": value})

    async def limits(self) -> dict[str, dict[str, Any]]:
        """Answer its limits by their names, as the API shows them."""
        answered = await self.platform.call("GET", f"{self.path}/limits")
        return {limit["name"]: limit for limit in answered["limits"]}

    async def usage(self) -> int:
        """Answer the scans that are metered this month."""
        answered = await self.platform.call("GET", f"{self.path}/usage")
        return sum(int(usage["quantity"]) for usage in answered["usage"] if usage["meter"] == "scans")

    async def invoiced(self) -> int:
        """Answer the scans on this month's invoice, as it would be now."""
        answered = await self.platform.call("GET", f"{self.path}/invoices:preview")
        lines = answered["invoice"]["lines"]
        return sum(int(line["quantity"]) for line in lines if line["meter"] == "scans")

    async def statistics(self) -> dict[str, int]:
        """Answer how many scans were recorded, enriched and failed, by their scan times since the horizon."""
        span = {"startTime": _iso(horizon()), "endTime": _iso(datetime.now(UTC) + timedelta(days=3))}
        asked = {"companyId": self.id, "bucket": "day", **span}
        buckets = (await self.platform.call("GET", "/v1/stats", params=asked))["buckets"]
        return {
            name: sum(int(bucket[name]) for bucket in buckets) for name in ("recorded", "enriched", "failed")
        }

    async def listed(self) -> list[dict[str, Any]]:
        """Answer the scans accepted since the horizon, page by page."""
        asked = {"companyId": self.id, "pageSize": _PAGE, "startTime": _iso(horizon())}
        token, scans = "", []
        while True:
            page = await self.platform.call("GET", "/v1/scans", params={**asked, "pageToken": token})
            scans += page["scans"]
            token = page["nextPageToken"]
            if not token:
                return scans


def horizon() -> datetime:
    """Answer the begin of the day from which on scans are counted."""
    return (datetime.now(UTC) - _LOOKED_BACK).replace(hour=0, minute=0, second=0, microsecond=0)


@asynccontextmanager
async def platform(description: Description) -> AsyncIterator[Platform]:
    """Sign in at a mesh."""
    timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
    async with aiohttp.ClientSession(base_url=description["edge"]["http"], timeout=timeout) as session:
        yield Platform(session, description["demo"]["platform_admin"])


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")

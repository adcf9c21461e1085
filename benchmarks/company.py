"""A company of the benchmarks' own, made through the API: enterprise, with limits that are on and never reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

_UNREACHED = 10**9
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Books:
    """How far the scans of a company have come."""

    recorded: int
    enriched: int
    billed: int


class Company:
    """One company with one scanner, watched by the platform admin."""

    def __init__(self, edge: str, admin: Mapping[str, str]) -> None:
        self._client = httpx.Client(base_url=edge, timeout=_TIMEOUT_SECONDS)
        token = self._post("/v1/sessions", admin)["accessToken"]
        self._client.headers["authorization"] = f"Bearer {token}"
        self._began = datetime.now(UTC)
        company = self._post("/v1/companies", {"displayName": "Benchmark"})
        self.company_id = company["company"]["companyId"]
        self._path = f"/v1/companies/{self.company_id}"
        self._send("PATCH", f"{self._path}/subscription", {"plan": "enterprise"})
        for limit in ("scanner.minute", "company.minute"):
            self._send("PUT", f"{self._path}/limits/{limit}", {"value": _UNREACHED})
        scanner = self._post(f"{self._path}/scanners", {"displayName": "load", "type": "SCANNER_TYPE_FIXED"})
        self.api_key: str = scanner["apiKey"]

    def books(self) -> Books:
        """Read how far its scans have come."""
        span = {"startTime": self._began - timedelta(hours=1), "endTime": self._began + timedelta(hours=2)}
        asked = {
            "companyId": self.company_id,
            "bucket": "hour",
            **{name: time.isoformat() for name, time in span.items()},
        }
        buckets = self._send("GET", "/v1/stats", params=asked)["buckets"]
        usage = self._send("GET", f"{self._path}/usage")["usage"]
        return Books(
            recorded=sum(int(bucket["recorded"]) for bucket in buckets),
            enriched=sum(int(bucket["enriched"]) for bucket in buckets),
            billed=sum(int(meter["quantity"]) for meter in usage),
        )

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._send("POST", path, body)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        answer = self._client.request(method, path, json=body, params=params)
        answer.raise_for_status()
        return answer.json()

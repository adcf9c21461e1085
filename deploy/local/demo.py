"""The demo company, made through the edge as a platform admin would: `python -m deploy.local.demo <file>`.

It is the last step of a start and its proof: it ends when a scan of the demo's scanner would be accepted. What it made
is remembered in a file of the home; the next start uses it again, and mends what no longer works.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.local.home import write_private

_COMPANY = {"displayName": "Demo"}
_SCANNER = {"displayName": "Demo gun", "type": "SCANNER_TYPE_HANDHELD", "location": "Dock 1"}
_DEADLINE_SECONDS = 30.0
_POLL_SECONDS = 0.02


class DemoError(Exception):
    """The mesh does not do for the demo what it should."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who signs in with a password."""

    email: str
    password: str

    def as_json(self) -> dict[str, str]:
        """Answer it as mesh.json and the API have it."""
        return {"email": self.email, "password": self.password}


class Edge:
    """Calls the API over HTTP/JSON."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def post(
        self, path: str, body: Mapping[str, Any], *, token: str = "", may_exist: bool = False
    ) -> dict[str, Any]:
        """Post and answer the body of the answer; `may_exist` takes ALREADY_EXISTS for a success.

        Raises:
            DemoError: the answer is no success.
        """
        headers = {"authorization": f"Bearer {token}"} if token else {}
        response = self._client.post(path, json=body, headers=headers)
        is_there = may_exist and response.status_code == httpx.codes.CONFLICT
        if response.status_code != httpx.codes.OK and not is_there:
            raise DemoError(f"POST {path}: {response.status_code} {response.text}")
        answer: dict[str, Any] = response.json()
        return answer

    def company_called(self, display_name: str, *, token: str) -> int | None:
        """Answer the id of the first company of that name; None if there is none.

        Raises:
            DemoError: the companies are not listed.
        """
        found, page = None, {"pageSize": "1000", "pageToken": ""}
        while True:  # newest first, so the last one found is the oldest
            response = self._client.get(
                "/v1/companies", params=page, headers={"authorization": f"Bearer {token}"}
            )
            if response.status_code != httpx.codes.OK:
                raise DemoError(f"GET /v1/companies: {response.status_code} {response.text}")
            answer = response.json()
            for company in answer["companies"]:
                if company["displayName"] == display_name:
                    found = int(company["companyId"])
            page["pageToken"] = answer["nextPageToken"]
            if not page["pageToken"]:
                return found

    def recognises(self, api_key: str) -> bool:
        """Tell whether a scan with this key would be taken.

        A scan without anything in it is refused as invalid, but only after the key was recognised; nothing is stored.
        That the bus takes scans is what `/readyz` says.

        Raises:
            DemoError: the mesh did not say so or otherwise in time.
        """
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while time.monotonic() < deadline:
            response = self._client.post("/v1/scans", json={}, headers={"x-api-key": api_key})
            if response.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED}:
                return response.status_code == httpx.codes.BAD_REQUEST
            time.sleep(_POLL_SECONDS)
        raise DemoError(f"POST /v1/scans: {response.status_code} {response.text}")

    def until_ready(self) -> None:
        """Wait until the edge finds its services well.

        Raises:
            DemoError: it does not in time.
        """
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while self._client.get("/readyz").status_code != httpx.codes.OK:
            if time.monotonic() > deadline:
                raise DemoError("the edge's /readyz is not 200")
            time.sleep(_POLL_SECONDS)


def seed(edge: Edge, platform_admin: Login, operator: Login, known: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a demo that works: the known one, or what is missing of it made anew."""
    edge.until_ready()
    demo = dict(known) if _works(edge, known, operator) else _make(edge, platform_admin, operator)
    if not edge.recognises(demo["api_key"]):
        raise DemoError("the edge does not know the key that was just made")
    return {**demo, "operator": operator.as_json(), "platform_admin": platform_admin.as_json()}


def _works(edge: Edge, known: Mapping[str, Any], operator: Login) -> bool:
    return known.get("operator") == operator.as_json() and edge.recognises(known["api_key"])


def _make(edge: Edge, platform_admin: Login, operator: Login) -> dict[str, Any]:
    """Make company, operator and scanner; a company that an interrupted start made is used."""
    token = edge.post("/v1/sessions", platform_admin.as_json())["accessToken"]
    company_id = edge.company_called(_COMPANY["displayName"], token=token)
    if company_id is None:
        company_id = edge.post("/v1/companies", _COMPANY, token=token)["company"]["companyId"]
    company = f"/v1/companies/{company_id}"
    admin = {**operator.as_json(), "role": "ROLE_ADMIN"}
    edge.post(f"{company}/users", admin, token=token, may_exist=True)
    scanner = edge.post(f"{company}/scanners", _SCANNER, token=token)
    return {
        "company_id": company_id,
        "scanner_id": scanner["scanner"]["scannerId"],
        "api_key": scanner["apiKey"],
    }


def main() -> None:
    """Seed the demo of the mesh described on standard input, and write it to the file."""
    told = json.load(sys.stdin)
    file = Path(sys.argv[1])
    known = json.loads(file.read_text()) if file.exists() else {}
    with httpx.Client(base_url=told["edge"], timeout=10) as client:
        demo = seed(Edge(client), Login(**told["platform_admin"]), Login(**told["operator"]), known)
    write_private(file, json.dumps(demo), durable=True)


if __name__ == "__main__":
    main()

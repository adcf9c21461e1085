"""Makes the demo company, as a platform admin would: `python -m deploy.demo.seed <file>`.

It is the last step of a start and its proof: it ends when a scan of the demo's scanner would be accepted. What it made
is remembered in a file of the home; the next start uses it again, and mends what no longer works.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from deploy.demo.edge import DemoError, Edge, Login, until
from deploy.local.home import write_private

PLAN = "professional"
_COMPANY = {"displayName": "Demo"}
_SCANNER = {"displayName": "Demo gun", "type": "SCANNER_TYPE_HANDHELD", "location": "Dock 1"}
_DEADLINE_SECONDS = 30.0


def seed(edge: Edge, platform_admin: Login, operator: Login, known: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a demo that works: the known one, or what is missing of it made anew.

    Raises:
        DemoError: the mesh does not let it.
    """
    if not until(lambda: _is_ready(edge) or None, seconds=_DEADLINE_SECONDS):
        raise DemoError("the edge's /readyz is not 200")
    with edge.signed_in(platform_admin) as platform:
        works = known.get("operator") == operator.as_json() and recognises(edge, known["api_key"])
        demo = dict(known) if works else _make(platform, operator)
        _subscribe(platform, demo["company_id"])
    if not recognises(edge, demo["api_key"]):
        raise DemoError("the edge does not know the key that was just made")
    return {**demo, "operator": operator.as_json(), "platform_admin": platform_admin.as_json()}


def _is_ready(edge: Edge) -> bool:
    try:
        return edge.ask("GET", "/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:  # the edge is still starting
        return False


def recognises(edge: Edge, api_key: str) -> bool:
    """Tell whether a scan with this key would be taken.

    A scan without anything in it is refused as invalid, but only after the key was recognised; nothing is stored.
    That the bus takes scans is what `/readyz` says.

    Raises:
        DemoError: the mesh did not say so or otherwise in time.
    """
    verdicts = {httpx.codes.BAD_REQUEST: True, httpx.codes.UNAUTHORIZED: False}

    def verdict() -> bool | None:
        answer = edge.ask("POST", "/v1/scans", json={}, headers={"x-api-key": api_key})
        return verdicts.get(httpx.codes(answer.status_code))

    recognised = until(verdict, seconds=_DEADLINE_SECONDS)
    if recognised is None:
        raise DemoError("POST /v1/scans says neither that it knows the key nor that it does not")
    return recognised


def _make(platform: Edge, operator: Login) -> dict[str, Any]:
    """Make company, operator and scanner; a company that an interrupted start made is used."""
    company_id = _company_called(platform, _COMPANY["displayName"])
    if company_id is None:
        company_id = platform.post("/v1/companies", _COMPANY)["company"]["companyId"]
    company = f"/v1/companies/{company_id}"
    platform.post(f"{company}/users", {**operator.as_json(), "role": "ROLE_ADMIN"}, may_exist=True)
    scanner = platform.post(f"{company}/scanners", _SCANNER)
    return {
        "company_id": company_id,
        "scanner_id": scanner["scanner"]["scannerId"],
        "api_key": scanner["apiKey"],
    }


def _company_called(platform: Edge, display_name: str) -> int | None:
    """Answer the id of the first company of that name; None if there is none."""
    found, page = None, {"pageSize": "1000", "pageToken": ""}
    while True:  # newest first, so the last one found is the oldest
        answer = platform.get("/v1/companies", params=page)
        for company in answer["companies"]:
            if company["displayName"] == display_name:
                found = int(company["companyId"])
        page["pageToken"] = answer["nextPageToken"]
        if not page["pageToken"]:
            return found


def _subscribe(platform: Edge, company_id: int) -> None:
    """Put the company on its plan, also if somebody has changed it; the edge may still be finding billing."""
    path = f"/v1/companies/{company_id}/subscription"
    answer = until(lambda: platform.get_if_there(path), seconds=_DEADLINE_SECONDS)
    if answer is None:
        raise DemoError(f"GET {path} does not answer")
    if answer["subscription"]["plan"] != PLAN:
        platform.patch(path, {"plan": PLAN}, mask="plan")


def main() -> None:
    """Seed the demo of the mesh described on standard input, and write it to the file."""
    told = json.load(sys.stdin)
    file = Path(sys.argv[1])
    known = json.loads(file.read_text()) if file.exists() else {}
    with Edge.at(told["edge"]) as edge:
        demo = seed(edge, Login(**told["platform_admin"]), Login(**told["operator"]), known)
    write_private(file, json.dumps(demo), durable=True)


if __name__ == "__main__":
    main()

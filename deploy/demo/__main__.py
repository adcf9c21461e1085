"""Sends scans to a mesh and tells what became of them: `python -m deploy.demo < mesh.json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import httpx

from deploy.demo import outcomes, report, scanners, senders
from deploy.demo.edge import DemoError, Edge, Login
from deploy.demo.products import MISREAD, PRODUCTS, UNREADABLE
from deploy.demo.senders import Sent


def show(description: Mapping[str, Any]) -> None:
    """Send the scans and print what the mesh says about them.

    Raises:
        DemoError: the mesh refuses something that the demo may do.
    """
    url, demo = description["edge"]["http"], description["demo"]
    company = f"/v1/companies/{demo['company_id']}"
    with Edge.at(url) as nobody, nobody.signed_in(Login(**demo["operator"])) as operator:
        before = outcomes.used(operator, company)
        sent = _send(url, {**scanners.api_keys(operator, company), "gun": demo["api_key"]})
        found = outcomes.look_up(operator, sent)
        billed = outcomes.billed(operator, company, before, len(found))
        print(f"\n{report.table(sent, found, all_billed=billed == len(found))}\n")
        if billed != len(found):
            print(f"  The ledger has grown by {billed}, not by {len(found)}.\n")
        print(f"{_amounts(operator, company, demo['scanner_id'])}\n")


def _send(url: str, keys: Mapping[str, str]) -> list[Sent]:
    with (
        Edge.at(url, {"x-api-key": keys["gun"]}) as gun,
        Edge.at(url, {"x-api-key": keys[scanners.DOCK]}) as dock,
        Edge.at(url, {"x-api-key": keys[scanners.TERMINAL]}) as terminal,
    ):
        single = [senders.by_json(gun, item) for item in (*PRODUCTS[:6], MISREAD)]
        return [
            *single,
            senders.again(gun, single[0]),
            *senders.by_json_batch(dock, [*PRODUCTS[6:14], UNREADABLE]),
            *(senders.by_old_json(terminal, item) for item in PRODUCTS[14:18]),
            *senders.by_grpc(url.removeprefix("http://"), keys[scanners.CAMERA], PRODUCTS[18:]),
        ]


def _amounts(operator: Edge, company: str, scanner_id: str) -> str:
    usage = operator.get(f"{company}/usage")
    invoice = operator.get(f"{company}/invoices:preview")["invoice"]
    limits = operator.get(f"{company}/limits", params={"scannerId": scanner_id})["limits"]
    return report.amounts(usage, invoice, limits)


if __name__ == "__main__":
    try:
        show(json.load(sys.stdin))
    except (DemoError, httpx.TransportError) as error:
        sys.exit(str(error))

"""A few real scans, sent every way a device can: what `make run` shows.

`python -m deploy.local.scans < mesh.json` sends them again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import httpx
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc, scan_pb2

from services.chassis.ids import uuid7

_TIMEOUT_SECONDS = 10
_GTIN = "4006381333931"
_EPC = "(01)09506000134352(10)AB-123"


@dataclass(frozen=True, slots=True)
class Sent:
    """A scan, how it was sent, and what the mesh said."""

    how: str
    scan_id: str
    answer: str


def send(description: Mapping[str, Any]) -> Iterator[Sent]:
    """Send scans of the demo's scanner to the mesh of this mesh.json, one of them a bad one."""
    edge, api_key = description["edge"], description["demo"]["api_key"]
    with httpx.Client(
        base_url=edge["http"], headers={"x-api-key": api_key}, timeout=_TIMEOUT_SECONDS
    ) as client:
        yield _json(client)
        yield from _batch(client)
        yield _legacy(client)
    yield _grpc(edge["http"].removeprefix("http://"), api_key)


def _json(client: httpx.Client) -> Sent:
    scan_id = str(uuid7())
    answer = client.post(
        "/v1/scans", json={"scanId": scan_id, "barcode": {"data": _GTIN}, "location": "Dock 1"}
    )
    return Sent("JSON, POST /v1/scans", scan_id, _verdict(answer))


def _batch(client: httpx.Client) -> Iterator[Sent]:
    scans = [
        {"scanId": str(uuid7()), "barcode": {"data": _EPC, "symbologyIdentifier": "]C1"}},
        {"scanId": str(uuid7()), "barcode": {"data": ""}},
    ]
    answer = client.post("/v1/scans:batch", json={"scans": scans})
    if answer.status_code != httpx.codes.OK:
        yield Sent("JSON, POST /v1/scans:batch", "", _verdict(answer))
        return
    rejections = {rejection["index"]: rejection for rejection in answer.json()["rejections"]}
    for index, scan in enumerate(scans):
        yield Sent("JSON, POST /v1/scans:batch", str(scan["scanId"]), _rejection(rejections.get(index)))


def _rejection(rejection: Mapping[str, Any] | None) -> str:
    if rejection is None:
        return "accepted"
    violations = "; ".join(f"{each['field']} {each['description']}" for each in rejection["violations"])
    return f"refused: {rejection['reason']} ({violations})"


def _legacy(client: httpx.Client) -> Sent:
    body = {"productId": int(_GTIN), "timestamp": datetime.now(UTC).isoformat(), "shelf": "B7"}
    answer = client.post("/api/scan", json=body)
    scan_id = answer.json().get("scanId", "")
    return Sent("old JSON, POST /api/scan", scan_id, _verdict(answer))


def _grpc(target: str, api_key: str) -> Sent:
    scan = scan_pb2.Scan(scan_id=str(uuid7()), barcode=scan_pb2.Barcode(data=_GTIN))
    with grpc.insecure_channel(target) as channel:
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        try:
            stub.SubmitScan(
                ingest_pb2.SubmitScanRequest(scan=scan),
                metadata=(("x-api-key", api_key),),
                timeout=_TIMEOUT_SECONDS,
            )
        except grpc.RpcError as error:
            return Sent("gRPC, IngestService/SubmitScan", scan.scan_id, f"refused: {error}")
    return Sent("gRPC, IngestService/SubmitScan", scan.scan_id, "accepted")


def _verdict(answer: httpx.Response) -> str:
    return (
        "accepted" if answer.status_code == httpx.codes.OK else f"refused: {answer.status_code} {answer.text}"
    )


def _table(sent: Iterable[Sent]) -> str:
    rows = [("sent as", "scan", "answer"), *((each.how, each.scan_id, each.answer) for each in sent)]
    return "\n".join(["", *(f"  {how:<32} {scan_id:<36}  {answer}" for how, scan_id, answer in rows), ""])


if __name__ == "__main__":
    print(_table(send(json.load(sys.stdin))))

"""Sending scans in every way that a device can, and reading the answers as a device has to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import grpc
import httpx
from google.protobuf import json_format
from scanmesh.ingest.v1 import ingest_pb2, ingest_pb2_grpc, scan_pb2

from deploy.demo.edge import Edge
from deploy.demo.products import Item
from services.chassis.ids import uuid7

_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Sent:
    """A scan, and what the mesh answered to it."""

    item: Item
    how: str
    scan_id: str
    """Empty where the mesh derives it and did not accept the scan."""
    accept_time: str = ""
    """As answered, RFC 3339; empty where an answer speaks of many scans at once."""
    refusal: str = ""
    """Empty: it was accepted."""


def by_json(gun: Edge, item: Item) -> Sent:
    """Post one scan."""
    return again(gun, Sent(item, "JSON", str(uuid7())))


def again(gun: Edge, sent: Sent) -> Sent:
    """Post a scan under the id that it has."""
    answer = gun.ask("POST", "/v1/scans", json=_scan(sent.item, sent.scan_id))
    if answer.status_code != httpx.codes.OK:
        return replace(sent, refusal=_refusal(answer))
    return replace(sent, accept_time=answer.json()["acceptTime"])


def by_json_batch(dock: Edge, items: Sequence[Item]) -> list[Sent]:
    """Post several scans at once."""
    sent = [Sent(item, "JSON batch", str(uuid7())) for item in items]
    scans = [_scan(each.item, each.scan_id) for each in sent]
    answer = dock.ask("POST", "/v1/scans:batch", json={"scans": scans})
    if answer.status_code != httpx.codes.OK:
        return [replace(each, refusal=_refusal(answer)) for each in sent]
    return _without_rejected(sent, answer.json())


def by_old_json(terminal: Edge, item: Item) -> Sent:
    """Post one scan as devices did before there was this API: the number as a number."""
    body = {"productId": int(item.data), "timestamp": datetime.now(UTC).isoformat(), "shelf": "B7"}
    answer = terminal.ask("POST", "/api/scan", json=body)
    told = answer.json()
    if answer.status_code != httpx.codes.OK:
        return Sent(item, "old JSON", "", refusal=told["error"])
    return Sent(item, "old JSON", told["scanId"], told["timestamp"])


def by_grpc(target: str, api_key: str, items: Sequence[Item]) -> list[Sent]:
    """Call SubmitScans as firmware with generated stubs does."""
    sent = [Sent(item, "gRPC", str(uuid7())) for item in items]
    scans = [json_format.ParseDict(_scan(each.item, each.scan_id), scan_pb2.Scan()) for each in sent]
    request = ingest_pb2.SubmitScansRequest(scans=scans)
    with grpc.insecure_channel(target) as channel:
        submit = ingest_pb2_grpc.IngestServiceStub(channel).SubmitScans
        try:
            answer = submit(request, metadata=(("x-api-key", api_key),), timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return [replace(each, refusal=str(error.code().name)) for each in sent]
    printed = json_format.MessageToDict(answer, always_print_fields_with_no_presence=True)
    return _without_rejected(sent, printed)


def _scan(item: Item, scan_id: str) -> dict[str, Any]:
    barcode = {
        "data": item.data,
        "symbologyIdentifier": item.symbology_identifier,
        "format": item.format,
    }
    return {"scanId": scan_id, "barcode": barcode}


def _without_rejected(sent: Sequence[Sent], answer: Mapping[str, Any]) -> list[Sent]:
    """Tell those that a batch's answer rejects from the others: the device goes by the index."""
    rejected = {each["index"]: each for each in answer["rejections"]}
    return [
        replace(each, refusal=_rejection(rejected[index])) if index in rejected else each
        for index, each in enumerate(sent)
    ]


def _rejection(rejection: Mapping[str, Any]) -> str:
    broken = "; ".join(f"{each['field']} {each['description']}" for each in rejection["violations"])
    return broken or rejection["reason"]


def _refusal(answer: httpx.Response) -> str:
    return str(answer.json()["message"])

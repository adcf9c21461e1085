"""Scans that tests make up."""

from __future__ import annotations

from typing import Any

from scanmesh.ingest.v1 import scan_pb2

from services.chassis.ids import uuid7


def scan(**others: Any) -> scan_pb2.Scan:
    """A scan that is good, or as said; `data` is short for the barcode's."""
    data = others.pop("data", "4006381333931")
    made = scan_pb2.Scan(scan_id=str(uuid7()), barcode=scan_pb2.Barcode(data=data))
    made.MergeFrom(scan_pb2.Scan(**others))
    return made


def scan_of(size: int) -> scan_pb2.Scan:
    """A scan of so many bytes, or the smallest if that is larger, filled up by its attribute `k`."""
    made = scan(attributes={"k": ""})
    for _ in range(2):  # its length takes more bytes as it grows
        others = made.ByteSize() - len(made.attributes["k"])
        made.attributes["k"] = "v" * max(0, size - others)
    return made


def good_scan_of(size: int) -> scan_pb2.Scan:
    """A good scan of so many bytes, filled with a barcode and attributes within their limits."""
    made = scan(data="😀" * 4_296)
    number = 0
    while made.ByteSize() < size and number < 64:
        made.attributes[f"{number:02}"] = "😀" * min(1_024, max(1, (size - made.ByteSize()) // 4))
        number += 1
    return made

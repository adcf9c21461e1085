"""Scans as devices make them, for either wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from scanmesh.ingest.v1 import scan_pb2

from services.chassis.ids import uuid7

BARCODE = "4006381333931"


def new_id() -> str:
    """Answer an id as the contract recommends it to devices: a UUIDv7."""
    return str(uuid7())


@dataclass(frozen=True, slots=True)
class Scan:
    """What a device has seen; the same content under the same id whenever it is sent again."""

    scan_id: str = field(default_factory=new_id)
    data: str = BARCODE
    location: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    """Names and values, in the order of the names."""
    scan_time: datetime | None = None
    """None: a device without a clock."""
    good: bool = True
    """Whether the contract wants it accepted."""

    @classmethod
    def of_json(cls, shown: Mapping[str, Any]) -> Self:
        """Read what the API shows of a scan, without what the server has added."""
        time = shown.get("scanTime")
        return cls(
            shown["scanId"],
            shown["barcode"]["data"],
            shown.get("location", ""),
            tuple(sorted(shown.get("attributes", {}).items())),
            None if time is None else datetime.fromisoformat(time),
        )

    def as_json(self) -> dict[str, Any]:
        """Write it as proto3 JSON."""
        scan: dict[str, Any] = {"scanId": self.scan_id, "barcode": {"data": self.data}}
        if self.location:
            scan["location"] = self.location
        if self.attributes:
            scan["attributes"] = dict(self.attributes)
        if self.scan_time is not None:
            scan["scanTime"] = self.scan_time.isoformat().replace("+00:00", "Z")
        return scan

    def as_message(self) -> scan_pb2.Scan:
        """Write it as a message."""
        message = scan_pb2.Scan(
            scan_id=self.scan_id,
            location=self.location,
            attributes=dict(self.attributes),
            barcode=scan_pb2.Barcode(data=self.data),
        )
        if self.scan_time is not None:
            message.scan_time.FromDatetime(self.scan_time)
        return message

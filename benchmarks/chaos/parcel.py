"""What one device hands over in one call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from benchmarks.books.claims import Sent
from benchmarks.scan import Scan
from benchmarks.tenants import Device

BULK = "bulk"


class Route(Enum):
    """How scans travel."""

    HTTP_SINGLE = auto()
    HTTP_BATCH = auto()
    GRPC_SINGLE = auto()
    GRPC_BATCH = auto()
    LEGACY = auto()


@dataclass(frozen=True, slots=True)
class Parcel:
    """Scans that are sent together, and again until each of them has arrived."""

    device: Device
    scans: tuple[Scan, ...]
    route: Route
    lane: str
    """The one that follows from the company's plan and the call: `premium`, `standard` or `bulk`."""
    hurried: bool = False
    """Whether the device waits for an answer for a second only."""
    once: bool = False
    """Whether the device forgets it, whatever has become of it."""
    legacy_body: str = ""
    """What an old device posts of its one scan."""

    @property
    def bulk(self) -> bool:
        """Whether the call says so."""
        return self.lane == BULK

    def sent(self, scan: Scan) -> Sent:
        """Answer what the parcel carries of a scan."""
        return Sent(self.device.scanner_id, self.lane, scan)

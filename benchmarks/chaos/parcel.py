"""What one device hands over in one call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from benchmarks.scan import Scan
from benchmarks.tenants import Device


class Route(Enum):
    """How scans travel."""

    HTTP_SINGLE = auto()
    HTTP_BATCH = auto()
    GRPC_BATCH = auto()
    LEGACY = auto()


@dataclass(frozen=True, slots=True)
class Parcel:
    """Scans that are sent together, and again until each of them has arrived."""

    device: Device
    scans: tuple[Scan, ...]
    route: Route
    bulk: bool = False
    hurried: bool = False
    """Whether the device waits for an answer for a second only."""
    once: bool = False
    """Whether the device forgets it, whatever has become of it."""
    legacy_body: str = ""
    """What an old device posts of its one scan."""

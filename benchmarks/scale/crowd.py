"""Who sends the scans of a cell, under which ids; and who of them has been seen before."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.bench.scan_ids import ORDERED, Minting
from benchmarks.tenants import Device


@dataclass(frozen=True)
class Crowd:
    """Devices that send in turn, each as often as any other."""

    devices: Sequence[Device]
    seen: bool = True
    """Whether each has sent something shortly before; else the mesh sees each for the first time."""
    minting: Minting = ORDERED
    _order: list[Device] = field(init=False)

    def __post_init__(self) -> None:
        """Draw the order, for the next ones in a table would share its pages."""
        object.__setattr__(self, "_order", random.sample(self.devices, len(self.devices)))

    @property
    def companies(self) -> set[int]:
        """Those of its devices."""
        return {device.company_id for device in self.devices}

    def draw(self, calls: int) -> Sequence[Device]:
        """Answer the devices whose turn it is in so many calls; of a crowd not seen before none comes again.

        Raises:
            ValueError: there are not enough that have never been drawn.
        """
        drawn = self._order[:calls]
        if not self.seen:
            if len(drawn) < calls:
                raise ValueError(f"{calls} devices that nobody has seen are wanted, {len(drawn)} are left")
            del self._order[:calls]
        return drawn

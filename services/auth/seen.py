"""When scanners made their last call, and with which key: kept in memory, written in batches.

It is told to people, and nothing is decided by it; so a replica that is killed may forget half a minute of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.credentials import Credential

FLUSH_INTERVAL = timedelta(seconds=30)
_MOST = 200_000
"""Scanners remembered between two flushes; more than one replica can check in that time."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A scanner and the key it called with."""

    scanner_id: str
    key_id: str


Sightings = Mapping[Sighting, datetime]


class Seen:
    """The sightings since the last flush."""

    def __init__(self) -> None:
        self._latest: dict[int, dict[Sighting, datetime]] = {}
        self._count = 0

    def note(self, credential: Credential, now: datetime) -> None:
        """Note that a scanner called just now."""
        sightings = self._latest.setdefault(credential.company_id, {})
        sighting = Sighting(credential.holder_id, credential.credential_id)
        if sighting not in sightings:
            if self._count >= _MOST:
                return
            self._count += 1
        sightings[sighting] = now

    def take(self) -> Mapping[int, Sightings]:
        """Answer the sightings by company, and start anew."""
        taken, self._latest, self._count = self._latest, {}, 0
        return taken

"""The buckets of this process alone, for as long as the service that keeps everybody's does not answer.

Each replica grants a whole limit by itself, so together they grant no more than replicas times the limit. A bucket
is the mirror of GCRA, a leaky one (ITU-T I.371): it holds what was granted and empties at the limit's rate. Its level
is counted in scan-microseconds, scans times the span, so that no fraction of a scan is ever rounded away.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.chassis.identity import Identity
from services.ingest.grants import Refusing

SCANNER_LIMIT = "scanner.minute"
COMPANY_LIMIT = "company.minute"
_SPAN = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)
_TICKS = _SPAN // _TICK
_MOST_BUCKETS = 100_000
"""About 25 MB when full; beyond it, the one least recently used is forgotten and so full again."""

# CONTRACT section 5; what the service has told of a scanner or a company counts before these.
_BY_TYPE = {"handheld": 50, "vehicle": 50, "agent": 100, "dock": 200, "fixed": 500}
_OF_SCANNER = 100
_OF_COMPANY = 10_000


@dataclass(slots=True)
class _Bucket:
    limit: int
    level: int = 0
    """Scan-microseconds; full at the limit times the span."""
    as_of: datetime | None = None
    """When the level was last brought up to date; None: never used."""

    def empty(self, now: datetime) -> None:
        """Let out what has drained since it was last asked."""
        if self.as_of is not None:
            passed = max(0, (now - self.as_of) // _TICK)  # the clock may have been set back
            self.level = max(0, self.level - passed * self.limit)
        self.as_of = now

    def room(self) -> int:
        """Answer how many scans would fit."""
        return max(0, self.limit * _TICKS - self.level) // _TICKS

    def take(self, scans: int) -> None:
        """Fill it with scans that fit."""
        self.level += scans * _TICKS

    def delay(self, scans: int) -> timedelta:
        """Answer how long until so many scans would fit, at most the span."""
        excess = self.level + scans * _TICKS - self.limit * _TICKS
        if excess >= self.limit * _TICKS:
            return _SPAN
        return -(-excess // self.limit) * _TICK


class LocalBuckets:
    """The minutes of scanners and their companies, by the limits last heard of them."""

    def __init__(self, most: int = _MOST_BUCKETS) -> None:
        self._most = most
        self._buckets: OrderedDict[tuple[int, str], _Bucket] = OrderedDict()

    def learn(self, identity: Identity, limits: Mapping[str, int]) -> None:
        """Remember the limits that the service has told, by their names; others than the two of a minute are ignored."""
        for name, bucket in self._of(identity).items():
            bucket.limit = limits.get(name, bucket.limit)

    def spend(self, identity: Identity, cost: int, now: datetime) -> tuple[int, list[Refusing]]:
        """Grant as many of `cost` scans as fit, and answer how many, and the limits that refused the others."""
        buckets = self._of(identity)
        for bucket in buckets.values():
            bucket.empty(now)
        refusing = [name for name, bucket in buckets.items() if bucket.room() < cost]
        granted = min(cost, *(bucket.room() for bucket in buckets.values()))
        for bucket in buckets.values():
            bucket.take(granted)
        return granted, [Refusing(name, buckets[name].delay(cost - granted)) for name in refusing]

    def _of(self, identity: Identity) -> dict[str, _Bucket]:
        scanner = _BY_TYPE.get(identity.scanner_type, _OF_SCANNER)
        return {
            SCANNER_LIMIT: self._bucket((identity.company_id, identity.subject), scanner),
            COMPANY_LIMIT: self._bucket((identity.company_id, ""), _OF_COMPANY),
        }

    def _bucket(self, key: tuple[int, str], limit: int) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(limit)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket

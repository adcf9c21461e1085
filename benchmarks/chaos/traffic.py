"""What is sent: a seeded mix of everything that devices do, and of what they do wrong."""

from __future__ import annotations

import json
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from benchmarks.chaos.companies import Fleet, Tenant
from benchmarks.chaos.parcel import BULK, Parcel, Route
from benchmarks.scan import BARCODE, Scan
from benchmarks.tenants import Device

_REMEMBERED = 500
_BARCODES = (BARCODE, "036000291452", "96385074", "10614141000415", "not a GTIN", "4006381333932")
_SINGLE_ROUTES = (Route.HTTP_SINGLE, Route.HTTP_SINGLE, Route.GRPC_SINGLE)
_NEW_ROUTES = (Route.HTTP_BATCH, Route.GRPC_BATCH)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BULK = 0.1
_HURRIED = 0.15
_TIMED = 0.3


class Traffic:
    """Parcels, one after the other; the same seed gives the same kinds in the same order."""

    def __init__(self, fleet: Fleet, random: Random) -> None:
        self._fleet = fleet
        self._random = random
        self._sent: dict[int, deque[Scan]] = {
            company_id: deque(maxlen=_REMEMBERED) for company_id in fleet.company_ids
        }
        self._kinds: dict[Callable[[Tenant], Iterator[Parcel]], int] = {
            self._single: 24,
            self._batch: 9,
            self._legacy: 5,
            self._resent: 8,
            self._twice_in_a_batch: 2,
            self._twins: 2,
            self._forgotten: 8,
            self._reused: 1,
            self._bad: 2,
            self._bad_among_good: 2,
        }

    def next(self) -> list[Parcel]:
        """Answer what is sent next: mostly one parcel."""
        [kind] = self._random.choices(list(self._kinds), list(self._kinds.values()))
        parcels = list(kind(self._random.choice(self._fleet.keepers)))
        for parcel in parcels:
            if parcel.route is not Route.LEGACY:
                self._sent[parcel.device.company_id].extend(scan for scan in parcel.scans if scan.good)
        return parcels

    def _single(self, tenant: Tenant) -> Iterator[Parcel]:
        yield self._parcel(tenant, [self._scan()], self._random.choice(_SINGLE_ROUTES))

    def _batch(self, tenant: Tenant) -> Iterator[Parcel]:
        scans = [self._scan() for _ in range(self._random.randint(5, 30))]
        yield self._parcel(tenant, scans, self._random.choice(_NEW_ROUTES))

    def _legacy(self, tenant: Tenant) -> Iterator[Parcel]:
        device = self._random.choice(tenant.devices)
        data, note = self._random.choice(_BARCODES), self._random.getrandbits(64)
        milliseconds = int(datetime.now(UTC).timestamp() * 1000)
        body = json.dumps({"productId": data, "timestamp": milliseconds, "note": note})
        scan_id = str(uuid.uuid5(uuid.UUID(device.scanner_id), body))
        scan_time = _EPOCH + timedelta(milliseconds=milliseconds)
        scan = Scan(scan_id, data, attributes=(("note", str(note)),), scan_time=scan_time)
        yield Parcel(device, (scan,), Route.LEGACY, tenant.lane, legacy_body=body)

    def _resent(self, tenant: Tenant) -> Iterator[Parcel]:
        sent = self._sent[tenant.company_id]
        if sent:
            scans = [self._random.choice(sent) for _ in range(self._random.randint(1, 6))]
            yield self._parcel(tenant, scans, self._random.choice(_NEW_ROUTES))

    def _twice_in_a_batch(self, tenant: Tenant) -> Iterator[Parcel]:
        scan = self._scan()
        yield self._parcel(tenant, [scan, self._scan(), scan], self._random.choice(_NEW_ROUTES))

    def _twins(self, _: Tenant) -> Iterator[Parcel]:
        scans = [self._scan() for _ in range(self._random.randint(1, 3))]
        for tenant in self._fleet.twins:
            yield self._parcel(tenant, scans, Route.GRPC_BATCH)

    def _forgotten(self, _: Tenant) -> Iterator[Parcel]:
        yield replace(self._parcel(self._fleet.forgetful, [self._scan()], Route.HTTP_SINGLE), once=True)

    def _reused(self, tenant: Tenant) -> Iterator[Parcel]:
        sent = self._sent[tenant.company_id]
        if sent:
            other = replace(self._random.choice(sent), location=f"elsewhere {self._random.getrandbits(32)}")
            yield self._parcel(tenant, [other], Route.HTTP_BATCH)

    def _bad(self, tenant: Tenant) -> Iterator[Parcel]:
        yield self._parcel(tenant, [self._bad_scan()], Route.HTTP_SINGLE)

    def _bad_among_good(self, tenant: Tenant) -> Iterator[Parcel]:
        scans = [self._scan(), self._bad_scan(), self._scan()]
        yield self._parcel(tenant, scans, self._random.choice(_NEW_ROUTES))

    def _parcel(self, tenant: Tenant, scans: list[Scan], route: Route) -> Parcel:
        device: Device = self._random.choice(tenant.devices)
        lane = BULK if self._random.random() < _BULK else tenant.lane
        return Parcel(device, tuple(scans), route, lane, hurried=self._random.random() < _HURRIED)

    def _scan(self) -> Scan:
        timed = self._random.random() < _TIMED
        ago = timedelta(minutes=self._random.randint(-60, 20 * 24 * 60))
        return Scan(
            data=self._random.choice(_BARCODES),
            attributes=(("battery", f"{self._random.randrange(100)} %"),) if timed else (),
            scan_time=datetime.now(UTC) - ago if timed else None,
        )

    def _bad_scan(self) -> Scan:
        wrong = self._random.randrange(3)
        if wrong == 0:
            return Scan(data="", good=False)
        if wrong == 1:
            return Scan(data="9" * 5_000, good=False)
        return Scan(scan_time=datetime.now(UTC) - timedelta(days=40), good=False)

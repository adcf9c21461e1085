"""The load of a run: parcels at a steady pace, each sent until it has arrived, by the one rule for devices."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from random import Random
from urllib.parse import urlsplit

from benchmarks import pace
from benchmarks.chaos.companies import Fleet
from benchmarks.chaos.journal import Journal
from benchmarks.chaos.parcel import Parcel, Route
from benchmarks.chaos.traffic import Traffic
from benchmarks.client import answer
from benchmarks.client.answer import Answer, Duty
from benchmarks.client.grpc import GrpcClient
from benchmarks.client.http import HttpClient
from benchmarks.mesh import Description
from benchmarks.scan import Scan

PARCELS_PER_SECOND = 55.0
"""Of some four scans each; two of the companies soon run into their limits, and take fewer."""
FINISH_SECONDS = 15.0
"""How long devices go on sending what has not arrived when nothing new is offered any more."""
_ROOM = 250
"""Scans that the devices of a company keep; beyond that they take no new ones."""
_PATIENCE_SECONDS = 15.0
_HURRY_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0
_SPREAD = 0.25


class Sender:
    """Hands parcels over."""

    def __init__(self, clients: Clients, journal: Journal, random: Random, until: float) -> None:
        """Describe it; `until` is the loop time at which all devices stop."""
        self._clients = clients
        self._journal = journal
        self._random = random
        self._until = until
        self._kept: Counter[int] = Counter()

    def has_room(self, company_id: int) -> bool:
        """Tell whether devices of a company take new scans."""
        return self._kept[company_id] < _ROOM

    async def take(self, parcel: Parcel) -> None:
        """Deliver a parcel, if the devices of its company have room for it."""
        if self.has_room(parcel.device.company_id):
            await self.deliver(parcel)
        else:
            self._journal.withheld += len(parcel.scans)

    async def deliver(self, parcel: Parcel) -> None:
        """Send a parcel until each of its scans has arrived or is to be dropped, or the run is over."""
        loop = asyncio.get_running_loop()
        left, pause = parcel.scans, _FIRST_PAUSE_SECONDS
        company_id = parcel.device.company_id
        self._kept[company_id] += len(left)
        try:
            while left:
                again = await self._attempt(parcel, left)
                self._kept[company_id] -= len(left) - len(again)
                left = tuple(scan for scan, _ in again)
                if parcel.once:
                    return
                asked = max((said.retry_delay or pause for _, said in again), default=0.0)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                delay = asked * (1 + self._random.uniform(0, _SPREAD))
                if loop.time() + delay >= self._until:
                    return
                await asyncio.sleep(delay)
        finally:
            self._kept[company_id] -= len(left)

    async def _attempt(self, parcel: Parcel, scans: Sequence[Scan]) -> list[tuple[Scan, Answer]]:
        """Send scans once; answer those that are to be sent again, with what was said of them."""
        self._journal.begin(parcel, scans)
        answered = list(zip(scans, await self._clients.send(parcel, scans), strict=True))
        for scan, said in answered:
            self._journal.end(parcel, scan, said)
        return [(scan, said) for scan, said in answered if said.duty is Duty.AGAIN]


class Clients:
    """The connections that all devices of a run share, patient ones and hurried ones."""

    def __init__(self, http: Sequence[HttpClient], grpc: Sequence[GrpcClient]) -> None:
        self._http = http
        self._grpc = grpc

    async def send(self, parcel: Parcel, scans: Sequence[Scan]) -> list[Answer]:
        """Send scans of a parcel by its route; answer what was said of each."""
        http, grpc = self._http[parcel.hurried], self._grpc[parcel.hurried]
        key, bulk = parcel.device.api_key, parcel.bulk
        match parcel.route:
            case Route.LEGACY:
                return [await self._legacy(http, parcel)]
            case Route.HTTP_SINGLE:
                return [await http.submit(key, scan.as_json(), bulk=bulk) for scan in scans]
            case Route.HTTP_BATCH:
                return await http.submit_batch(key, [scan.as_json() for scan in scans], bulk=bulk)
            case Route.GRPC_SINGLE:
                return [await grpc.submit(key, scan.as_message(), bulk=bulk) for scan in scans]
            case Route.GRPC_BATCH:
                return await grpc.submit_batch(key, [scan.as_message() for scan in scans], bulk=bulk)

    async def _legacy(self, http: HttpClient, parcel: Parcel) -> Answer:
        said, scan_id = await http.submit_legacy(parcel.device.api_key, parcel.legacy_body)
        if scan_id not in ("", parcel.scans[0].scan_id):
            return answer.nonsense(f"it was given the id {scan_id}")
        return said


async def send(description: Description, fleet: Fleet, journal: Journal, seconds: float, seed: int) -> None:
    """Offer load for some seconds; return when devices have sent what was left, or have given up."""
    base = description["edge"]["http"]
    until = asyncio.get_running_loop().time() + seconds + FINISH_SECONDS
    async with AsyncExitStack() as stack:
        http = [
            await stack.enter_async_context(HttpClient(base, timeout_seconds=timeout))
            for timeout in (_PATIENCE_SECONDS, _HURRY_SECONDS)
        ]
        grpc = [
            await stack.enter_async_context(GrpcClient(urlsplit(base).netloc, timeout_seconds=timeout))
            for timeout in (_PATIENCE_SECONDS, _HURRY_SECONDS)
        ]
        sender = Sender(Clients(http, grpc), journal, Random(f"pauses {seed}"), until)
        traffic = Traffic(fleet, Random(f"traffic {seed}"))

        async def fire(_: float) -> None:
            await asyncio.gather(*map(sender.take, traffic.next()))

        await pace.at_rate(PARCELS_PER_SECOND, seconds, fire)

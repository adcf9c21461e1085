"""One run: companies are made, devices send while faults fall, and when all is quiet again the books are compared."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter

from benchmarks.books.audit import Counts, audit
from benchmarks.books.settling import NotSettled
from benchmarks.chaos import companies, faults, load, machine, processes
from benchmarks.chaos.fallbacks import limiter_fallbacks
from benchmarks.chaos.filler import Filler
from benchmarks.chaos.injector import Injector, Injury
from benchmarks.chaos.journal import Journal
from benchmarks.chaos.machine import Machine
from benchmarks.chaos.options import Options
from benchmarks.chaos.outages import outage
from benchmarks.chaos.power import PowerSwitch
from benchmarks.chaos.report import Report, Suffered
from benchmarks.disk import Disk
from benchmarks.mesh import Description
from benchmarks.tenants import ApiError, platform
from deploy.local.failures import MeshError
from deploy.local.mesh import Mesh

_OFFERED_AT_LEAST = 100.0
_A_FAULT_SECONDS = 5
"""One falls at least as often, on average."""
_COMPLETE_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_BLURS_THE_QUOTA = frozenset({"valkey", "ratelimit", "ingest"})
"""Without one of them ingest goes by buckets of its own, or what was spent is forgotten."""


async def run(mesh: Mesh, asked: Options, disk: Disk | None, left_out: Sequence[str]) -> Report:
    """Disturb a mesh that is up, under load, and compare its books.

    Args:
        mesh: the mesh.
        asked: what is asked for.
        disk: where its stores lie, if that can lose its power and its room.
        left_out: what is asked for and cannot be had, and why.

    Raises:
        MeshError: a target is not there, or the supervisor has ended.
        ApiError: the companies cannot be made.
    """
    description = mesh.describe()
    targets = _targets(description, asked)
    async with platform(description) as admin:
        fleet = await companies.make(admin)
    journal = Journal()
    turn = asyncio.Lock()
    start = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as tasks:
        injuring = tasks.create_task(_injure(mesh, asked, targets))
        cutting = tasks.create_task(_cut(mesh, asked, disk, turn))
        filling = tasks.create_task(_fill(asked, disk, turn))
        tasks.create_task(load.send(description, fleet, journal, asked.seconds, asked.seed))
    absent = await _absent(mesh, description)
    injuries = sorted([*injuring.result(), *cutting.result(), *filling.result()], key=attrgetter("at"))
    blurred = _BLURS_THE_QUOTA & set(targets) or cutting.result()
    exact = not blurred and not await limiter_fallbacks(description)
    books, differences = await _books(description, fleet, journal, exact=exact)
    offered = journal.offered / asked.seconds
    return Report(
        seed=asked.seed,
        seconds=asked.seconds,
        replicas=asked.replicas,
        mutant=asked.mutant.name if asked.mutant else None,
        offered_per_s=offered,
        accepted_per_s=sum(moment < start + asked.seconds for moment in journal.arrivals) / asked.seconds,
        withheld=journal.withheld,
        attempts=dict(journal.outcomes.most_common()),
        faults=tuple(_suffered(injury, journal) for injury in injuries),
        left_out=tuple(left_out),
        restarts=_restarts(mesh, description),
        exact_quota=exact,
        books=books,
        differences=(
            *absent,
            *_too_little(asked, offered, len(injuring.result())),
            *journal.breaches,
            *differences,
        ),
    )


def _targets(description: Description, asked: Options) -> Sequence[str]:
    known = processes.names(description)
    targets = known if asked.targets is None else asked.targets
    unknown = set(targets) - set(known)
    if unknown:
        raise MeshError(f"no process is called {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    return targets


async def _injure(mesh: Mesh, asked: Options, targets: Sequence[str]) -> list[Injury]:
    plan = faults.plan(asked.seed, asked.seconds, targets, acts=asked.acts)
    return await Injector(mesh.describe, targets).run(plan, asked.seconds)


async def _cut(mesh: Mesh, asked: Options, disk: Disk | None, turn: asyncio.Lock) -> list[Injury]:
    if disk is None or Machine.POWER not in asked.machine:
        return []
    return await PowerSwitch(mesh.describe, disk, turn).run(machine.cuts(asked.seed, asked.seconds))


async def _fill(asked: Options, disk: Disk | None, turn: asyncio.Lock) -> list[Injury]:
    if disk is None or Machine.DISK not in asked.machine:
        return []
    return await Filler(disk, turn).run(machine.fillings(asked.seed, asked.seconds))


def _suffered(injury: Injury, journal: Journal) -> Suffered:
    cost = outage(injury.began, injury.back, journal.acceptances, journal.failures)
    return Suffered(injury.at, injury.what, injury.ended, cost)


async def _absent(mesh: Mesh, before: Description) -> list[str]:
    """Answer what has not come back when the faults have been over for a while."""
    wanted = {name: len(before["processes"][name]) for name in processes.names(before)}
    until = asyncio.get_running_loop().time() + _COMPLETE_SECONDS
    while missing := processes.missing(mesh.describe(), wanted):
        if asyncio.get_running_loop().time() > until:
            return [f"{name} is not back {_COMPLETE_SECONDS:.0f} s after the last fault" for name in missing]
        await asyncio.sleep(_LOOK_SECONDS)
    return []


async def _books(
    description: Description, fleet: companies.Fleet, journal: Journal, *, exact: bool
) -> tuple[Counts | None, Sequence[str]]:
    try:
        found = await audit(
            description,
            companies=fleet.company_ids,
            claims=journal.claims(),
            all_have_quotas=True,
            exact_quota=exact,
        )
    except (NotSettled, ApiError) as error:  # the faults are over: that should be there again
        return None, [f"the books cannot be compared: {error}"]
    return found.counts, found.differences


def _too_little(asked: Options, offered: float, faults: int) -> list[str]:
    """A run that proves something has load and faults; one that a mutant shall fail need not."""
    if asked.mutant:
        return []
    return [
        *(
            [f"only {offered:.0f} scans/s were offered, of {_OFFERED_AT_LEAST:.0f}"]
            if offered < _OFFERED_AT_LEAST
            else []
        ),
        *(
            [f"only {faults} faults fell in {asked.seconds:g} s"]
            if faults * _A_FAULT_SECONDS < asked.seconds
            else []
        ),
    ]


def _restarts(mesh: Mesh, description: Description) -> dict[str, int]:
    restarts: Counter[str] = Counter()
    for part in mesh.parts():
        restarts[part.process_name] += part.restarts
    return {name: restarts[name] for name in processes.names(description)}

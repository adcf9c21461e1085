"""`make backlog`: the recorder is down for three minutes at half load, and then catches up while the load goes on.

Accepting must not be harmed meanwhile: every scan is accepted, as fast as before. 0: so it was, and the books agree.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.bench import machine
from benchmarks.bench.latency import p99_ms
from benchmarks.bench.offer import Offered, offer
from benchmarks.endurance import command
from benchmarks.endurance.ground import Ground, prepared
from deploy.local.mesh import Mesh

_RECORDER = "ingest-recorder"
_SHARE = 0.5
_DOWN_SECONDS = 180.0
_BEFORE_SHARE = 1 / 6
_MOST_SHARE = 4.0
"""Catching up may take so many times as long as the recorder was down."""
_LOOK_SECONDS = 0.5
_LITTLE_SECONDS = 2.0
"""A stream that holds no more than so much of its inflow is a backlog no longer."""
_NOT_MUCH_SLOWER = 2.0
_FAST_MS = 50.0
"""A p99 below that is no harm, however fast it was before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """How accepting went meanwhile."""

    rate: float
    """Scans a second that were offered."""
    seconds: float
    accepted: int
    p99_ms: float
    whole: bool
    """Whether every scan was accepted, in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog(command.Report):
    """build/backlog.json."""

    before: Phase
    down: Phase
    after: Phase
    backlog_messages: int
    """In SCANS when the recorder came back."""
    caught_up_s: float | None
    """From then on until it was a backlog no longer, with the load going on; None: it never was."""


def _lines(found: Backlog) -> Iterator[str]:
    for name in ("before", "down", "after"):
        yield f"{name}: {getattr(found, name)}"
    took = "it never caught up" if found.caught_up_s is None else f"caught up in {found.caught_up_s:.1f} s"
    yield f"{found.backlog_messages} messages when the recorder came back; {took}"


async def _run(mesh: Mesh, down_seconds: float) -> Backlog:
    async with prepared(mesh) as ground:
        rate = _SHARE * ground.capacity
        before = await offer(ground.load, rate, _BEFORE_SHARE * down_seconds)
        await asyncio.to_thread(mesh.hold, _RECORDER)
        down = await offer(ground.load, rate, down_seconds)
        waiting = (await ground.stage.streams.states())["SCANS"].messages
        releasing = asyncio.create_task(asyncio.to_thread(mesh.release, _RECORDER))
        after, caught_up = await _catch_up(ground, rate, _MOST_SHARE * down_seconds)
        await releasing
        return Backlog(
            commit=machine.commit(),
            capacity=ground.capacity,
            before=_phase(before),
            down=_phase(down),
            after=_phase(after),
            backlog_messages=waiting,
            caught_up_s=caught_up,
            trouble=(*_harm(before, down, after, caught_up), *await ground.differences()),
        )


async def _catch_up(ground: Ground, rate: float, seconds: float) -> tuple[Offered, float | None]:
    """Offer the load until the backlog is none any more; answer what became of it, and how long that took."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    going_on = Offered(rate, 0.0)
    while loop.time() - start < seconds:
        some = await offer(ground.load, rate, _LOOK_SECONDS)
        going_on.seconds += some.seconds
        going_on.sent += some.sent
        going_on.accepted += some.accepted
        going_on.in_time += some.in_time
        going_on.overrun |= some.overrun
        going_on.latencies += some.latencies
        held = (await ground.stage.streams.states())["SCANS"].messages
        if held <= _LITTLE_SECONDS * rate / ground.load.size:
            return going_on, loop.time() - start
    return going_on, None


def _phase(offered: Offered) -> Phase:
    return Phase(
        rate=offered.rate,
        seconds=offered.seconds,
        accepted=offered.accepted,
        p99_ms=p99_ms(offered.latencies),
        whole=offered.whole,
    )


def _harm(before: Offered, down: Offered, after: Offered, caught_up: float | None) -> tuple[str, ...]:
    """Name what accepting suffered."""
    usual = max(_FAST_MS, _NOT_MUCH_SLOWER * p99_ms(before.latencies))
    harm = [] if caught_up is not None else ["the backlog was not worked off"]
    for name, phase in (("while the recorder was down", down), ("while it caught up", after)):
        if not phase.whole:
            harm.append(f"not every scan was accepted in time {name}: {phase}")
        elif p99_ms(phase.latencies) > usual:
            harm.append(f"p99 {p99_ms(phase.latencies):.0f} ms {name}, more than {usual:.0f} ms")
    return tuple(harm)


if __name__ == "__main__":
    sys.exit(command.run(sys.argv[1:], "backlog", _DOWN_SECONDS, _run, _lines))

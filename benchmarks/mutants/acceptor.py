"""Wrong ways to put scans onto the bus, each in place of `Bus.publish`; what is not a scan goes the right way."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from scanmesh.ingest.v1 import events_pb2

from benchmarks.mutants.window import window
from services.chassis.bus import Bus, Outcome

PATIENCE_SECONDS = 0.3
"""How long a publish is tried here: shorter than a bus stands still, so that some end unknown, and are stored."""

Publish = Callable[..., Awaitable[Outcome]]
_begun: set[asyncio.Task[Outcome]] = set()


async def refund_on_unknown(
    publish: Publish, bus: Bus, subject: str, payload: bytes, *, deadline: float, **options: Any
) -> Outcome:
    """Take what is not known to be stored for what is known not to be: its spend is given back."""
    if not _accepts(subject):
        return await publish(bus, subject, payload, deadline=deadline, **options)
    by = min(deadline, asyncio.get_running_loop().time() + PATIENCE_SECONDS)
    outcome = await publish(bus, subject, payload, deadline=by, **options)
    return Outcome.REFUSED if outcome is Outcome.UNKNOWN else outcome


async def accepted_before_ack(
    publish: Publish, bus: Bus, subject: str, payload: bytes, **options: Any
) -> Outcome:
    """Answer that scans are on disk, then publish them."""

    async def later() -> Outcome:
        await window()
        return await publish(bus, subject, payload, **options)

    if not _accepts(subject):
        return await publish(bus, subject, payload, **options)
    task = asyncio.create_task(later())
    _begun.add(task)
    task.add_done_callback(_begun.discard)
    return Outcome.ACKED


async def message_id_from_scans(
    publish: Publish, bus: Bus, subject: str, payload: bytes, *, message_id: str, **options: Any
) -> Outcome:
    """Publish scans under an id that derives from what their devices chose: those of another company are *duplicates*."""
    if _accepts(subject):
        message_id = _of_scans(payload)
    return await publish(bus, subject, payload, message_id=message_id, **options)


def _accepts(subject: str) -> bool:
    return subject.startswith("scan.accepted.")


def _of_scans(payload: bytes) -> str:
    message = events_pb2.ScansAccepted.FromString(payload)
    scan_ids = [scan.scan_id for submission in message.submissions for scan in submission.scans]
    return hashlib.sha256("".join(scan_ids).encode()).hexdigest()[:32]

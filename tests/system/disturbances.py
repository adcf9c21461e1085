"""What goes wrong on purpose: faults planted into parts of a mesh, clocks that are set, messages that come again soon."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import nats

from benchmarks.books.settling import WORK_QUEUES
from benchmarks.plants.site import planted
from benchmarks.plants.site.planted import Plant
from deploy.local.mesh import Mesh
from deploy.local.roster import PROCESSES
from tests.system.actors import Device, eventually, scan
from tests.system.inspector import fallbacks

CLOCK = "services.chassis.clock:now"
RESEND_SECONDS = 20.0


@contextmanager
def plants(mesh: Mesh, part: str, *faults: Plant) -> Iterator[None]:
    """Restart a part with faults planted; those that have no marker are gone after another restart."""
    mesh.environment(part, planted.environment(*faults))
    restart(mesh, part)
    try:
        yield
    finally:
        mesh.environment(part, {})
        if any(not fault.marker for fault in faults):
            restart(mesh, part)


def restart(mesh: Mesh, part: str) -> None:
    mesh.hold(part)
    mesh.release(part)


class MeshClock:
    """The clock of every service of a mesh: the machine's, until it is set."""

    def __init__(self, mesh: Mesh, file: Path) -> None:
        """Plant it; the mesh must not have been started."""
        self._file = file
        self._ahead = timedelta(0)
        shift = Plant(target=CLOCK, act="shift", value=str(file), call=0)
        for part in PROCESSES:
            mesh.environment(part, planted.environment(shift))

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def set(self, time: datetime) -> None:
        """Set it, forwards, in one step for all."""
        self._ahead = time - datetime.now(UTC)
        written = self._file.with_suffix(".new")
        written.write_text(str(self._ahead.total_seconds()))
        written.replace(self._file)


@contextmanager
def redelivery_within(description: dict[str, Any], seconds: float) -> Iterator[None]:
    """Have what a killed worker held handed out again sooner than after the ten seconds of production."""
    before = asyncio.run(_set_ack_waits(description["nats"], dict.fromkeys(WORK_QUEUES, seconds)))
    try:
        yield
    finally:
        asyncio.run(_set_ack_waits(description["nats"], before))


async def _set_ack_waits(url: str, waits: dict[str, float]) -> dict[str, float]:
    client = await nats.connect(url)
    before: dict[str, float] = {}
    try:
        jetstream = client.jetstream()
        for stream, seconds in waits.items():
            for consumer in await jetstream.consumers_info(stream):
                before[stream] = consumer.config.ack_wait or 0.0
                await jetstream.add_consumer(stream, replace(consumer.config, ack_wait=seconds))
    finally:
        await client.close()
    return before


@contextmanager
def store_that_refuses(description: dict[str, Any], text: str) -> Iterator[None]:
    """Have PostgreSQL refuse every scan whose content holds `text`, as it refuses a value that it cannot hold."""
    name = f"refuse_{uuid.uuid4().hex}"
    plant = f"""
        CREATE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF position(convert_to('{text}', 'UTF8') IN NEW.content) > 0 THEN
                RAISE EXCEPTION 'planted' USING ERRCODE = 'invalid_parameter_value';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER {name} BEFORE INSERT ON ingest.scan_events
            FOR EACH ROW EXECUTE FUNCTION public.{name}();
    """
    asyncio.run(_execute(description["postgres"], plant))
    try:
        yield
    finally:
        asyncio.run(_execute(description["postgres"], f"DROP FUNCTION public.{name} CASCADE"))


async def _execute(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


def publish(description: dict[str, Any], subject: str, payload: bytes) -> None:
    """Put a message into a stream, past everybody who would have looked at it."""
    asyncio.run(_publish(description["nats"], subject, payload))


async def _publish(url: str, subject: str, payload: bytes) -> None:
    client = await nats.connect(url)
    try:
        await client.jetstream().publish(subject, payload, headers={"Nats-Msg-Id": uuid.uuid4().hex})
    finally:
        await client.close()


def asks_ratelimit(description: dict[str, Any], device: Device) -> None:
    """Send scans until ingest has asked `ratelimit` about one: after an outage it does not for a second."""

    def asked() -> bool:
        before = fallbacks(description)
        submit_until_accepted(device, scan())
        return fallbacks(description) == before

    eventually(asked, seconds=RESEND_SECONDS, what="ratelimit is asked")


def submit_until_accepted(device: Device, body: dict[str, Any]) -> str:
    """Send a scan as a device does that keeps what is not accepted; answer its id."""

    def accepted() -> bool:
        answer = device.submit(body)
        assert answer.status == 200 or answer.retry_delay, answer
        return answer.status == 200

    eventually(accepted, seconds=RESEND_SECONDS, what="the scan is accepted")
    return str(body["scanId"])

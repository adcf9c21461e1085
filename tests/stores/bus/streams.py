"""Streams that the tests of the bus make, and what is in them."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

from nats.js import api

from services.chassis.bus import Bus, Outcome
from services.chassis.errors import Unavailable
from services.chassis.provision import provision
from services.chassis.subjects import Durable, Stream
from tests.servers.polling import eventually

QUEUE = Stream(
    name="DEMO",
    subjects=("demo.a", "demo.b"),
    durables=(
        Durable("demo-a", "demo.a", max_ack_pending=8),
        Durable("demo-b", "demo.b", max_ack_pending=4),
    ),
    percent=100,
)
FEED = Stream(name="FEED", subjects=("feed.a",), max_age=timedelta(hours=1), expiring=True, percent=100)
BUCKET = Stream(name="KV_demo", subjects=("$KV.demo.>",), latest_only=True, acknowledged=True, percent=100)
STREAMS = (QUEUE, FEED, BUCKET)
MAX_BYTES = 64 * 2**20


async def make(bus: Bus, *, max_bytes: int = MAX_BYTES) -> None:
    """Wait for the bus and make the streams."""

    async def connected() -> bool:
        try:
            await bus.ping()
        except Unavailable:
            return False
        return True

    await eventually(connected, "the bus to be connected")
    await provision(bus.jetstream, STREAMS, max_bytes=max_bytes)


async def payloads(bus: Bus, stream: Stream = QUEUE) -> list[bytes]:
    """Read what a stream holds, in order, when its server answers again."""
    await bus.until_required(stream)
    state = (await bus.jetstream.stream_info(stream.name)).state
    if not state.messages:
        return []
    messages: list[api.RawStreamMsg] = [
        await bus.jetstream.get_msg(stream.name, sequence)
        for sequence in range(state.first_seq, state.last_seq + 1)
    ]
    return [message.data or b"" for message in messages]


async def publish(
    bus: Bus,
    payload: bytes,
    *,
    subject: str = "demo.a",
    message_id: str = "",
    seconds: float = 10.0,
    ttl: timedelta | None = None,
) -> Outcome:
    """Publish under `message_id`, or one of its own."""
    deadline = asyncio.get_running_loop().time() + seconds
    return await bus.publish(
        subject, payload, message_id=message_id or secrets.token_hex(16), deadline=deadline, ttl=ttl
    )

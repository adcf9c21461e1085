"""What a stream holds, as its server tells it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.chassis.connection import heed_cancellation
from services.chassis.errors import Unavailable
from services.chassis.feed import Event
from services.chassis.natslib import Client, api
from services.chassis.provision import EPOCH
from services.chassis.subjects import Stream

_NOT_FOUND = "404"


@dataclass(frozen=True, slots=True)
class StreamState:
    """What a stream holds."""

    first_sequence: int
    """Of the oldest message; one above the last when the stream is empty, and 0 when it never held one."""
    last_sequence: int
    messages: int
    size: int
    """Bytes of all messages on disk."""
    max_size: int
    """Bytes beyond which it refuses messages, or drops old ones."""
    time: datetime
    """When the server told this, by its own clock."""
    oldest: timedelta | None
    """The age of the oldest message by that clock, negative if it was set back since; None when the stream is empty."""
    epoch: str
    """The id made with the stream: another one numbers anew."""


async def state(client: Client, stream: Stream, seconds: float) -> StreamState:
    """Answer what a stream holds now.

    Raises:
        Unavailable: it cannot be looked at.
    """
    answer = await client.request(f"$JS.API.STREAM.INFO.{stream.name}", timeout=seconds)
    heed_cancellation()
    info = json.loads(answer.data)
    if "error" in info:
        raise Unavailable(f"the stream {stream.name} cannot be looked at")
    return _state(info)


async def last(client: Client, stream: Stream, subject: str, seconds: float) -> Event | None:
    """Answer the last message of a subject in a bucket; None if there is none.

    Raises:
        Unavailable: it cannot be read.
    """
    message = await client.request(f"$JS.API.DIRECT.GET.{stream.name}.{subject}", timeout=seconds)
    heed_cancellation()
    headers = message.headers or {}
    status = headers.get(api.Header.STATUS)
    if status == _NOT_FOUND:
        return None
    if status is not None:
        raise Unavailable(f"the stream {stream.name} cannot be read")
    stored = datetime.fromisoformat(headers["Nats-Time-Stamp"])
    return Event(subject, message.data, stored, int(headers["Nats-Sequence"]))


async def heard(client: Client, stream: Stream, sequence: int, seconds: float) -> bool:
    """Tell whether all who follow a stream have acknowledged what it holds up to a sequence.

    Who has lost its connection counts until the server forgets it, 2 s later; then it starts anew when it has another.

    Raises:
        Unavailable: they cannot be looked at.
    """
    seen, total = 0, 1
    while seen < total:  # a page at a time
        asked = json.dumps({"offset": seen}).encode()
        answer = await client.request(f"$JS.API.CONSUMER.LIST.{stream.name}", asked, timeout=seconds)
        heed_cancellation()
        page = json.loads(answer.data)
        if "error" in page:
            raise Unavailable(f"who follows the stream {stream.name} cannot be looked at")
        if any(_behind(follower, sequence) for follower in page["consumers"]):
            return False
        seen, total = seen + max(1, len(page["consumers"])), page["total"]
    return True


def _behind(follower: dict[str, Any], sequence: int) -> bool:
    return int(follower["ack_floor"]["stream_seq"]) < sequence


def _state(info: dict[str, Any]) -> StreamState:
    held = info["state"]
    time = datetime.fromisoformat(info["ts"])
    return StreamState(
        first_sequence=held["first_seq"],
        last_sequence=held["last_seq"],
        messages=held["messages"],
        size=held["bytes"],
        max_size=info["config"]["max_bytes"],
        time=time,
        oldest=time - datetime.fromisoformat(held["first_ts"]) if held["messages"] else None,
        epoch=info["config"].get("metadata", {}).get(EPOCH, ""),
    )

"""Messages that a work queue still holds although its durable takes them for acknowledged.

Seen when the server is killed or frozen under load (nats-server 2.15.1): the durable's floor has passed a message that
is still in the stream. Nobody is ever handed it again, and whoever waits for the queue to let go of it waits until the
server restarts: the watermark, and with it quotas and months. Nothing is taken on the durable's word: such a message
is handled once more, which changes nothing if it had been handled, and then removed by its number.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from services.chassis import telemetry
from services.chassis.bus import Bus
from services.chassis.connection import heed_cancellation, translated
from services.chassis.errors import Unavailable
from services.chassis.natslib import api, js_errors
from services.chassis.pull import SUSPECT_TRIES, Delivery
from services.chassis.subjects import Durable, Stream

LOOK_SECONDS = 5.0
"""An acknowledged message is gone within milliseconds; one that is still there after so long was left."""
_ANSWER_SECONDS = 2.0
_GONE = 10_037
"""There is no such message: another replica has removed it."""

_log = logging.getLogger(__name__)
_found = telemetry.meter(__name__).create_counter(
    "work.leftovers", description="messages that a queue held although their durable had let go of them"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover(Delivery):
    """A message that nobody is handed any more; it stays until it is removed."""

    remove: Callable[[], Awaitable[None]]

    async def ack(self) -> None:
        """Take it off the queue; if that fails it is found again."""
        await self.remove()

    async def again(self, delay: timedelta) -> None:
        """Leave it where it is: it is found again."""

    async def in_progress(self) -> None:
        """Do nothing: it is handed to nobody else."""


class Leftovers:
    """Looks for those of one durable, now and then."""

    def __init__(self, bus: Bus, stream: Stream, durable: Durable) -> None:
        self._bus = bus
        self._stream = stream
        self._durable = durable
        self._passed = 0
        """Up to here the durable had acknowledged everything when it was last looked at."""
        self._next_look = 0.0

    async def due(self, most: int) -> list[Delivery]:
        """Answer at most so many, if it is time to look again.

        Raises:
            Unavailable: the bus does not answer.
        """
        now = asyncio.get_running_loop().time()
        if now < self._next_look:
            return []
        with translated():
            found = [] if not self._passed else await self._find(most)
            self._passed = await self._floor()
        self._next_look = now + LOOK_SECONDS  # one that fails stays, and is found again then
        return found

    async def _find(self, most: int) -> list[Delivery]:
        found: list[Delivery] = []
        sequence = 1
        while len(found) < most:
            message = await self._from(sequence)
            if message is None or message.sequence > self._passed:
                break
            _found.add(1, {"durable": self._durable.name})
            _log.warning("a message was left behind", extra={"message_id": message.message_id})
            found.append(message)
            sequence = message.sequence + 1
        return found

    async def _from(self, sequence: int) -> Leftover | None:
        """Answer the durable's first message from a sequence on."""
        jetstream = self._bus.jetstream
        try:
            raw = await jetstream.get_msg(
                self._stream.name, sequence, subject=self._durable.subject, next=True
            )
        except js_errors.NotFoundError:
            return None
        heed_cancellation()
        if raw.seq is None or raw.time is None:
            raise Unavailable("the bus answers with a message that has no number")
        return Leftover(
            subject=self._durable.subject,
            payload=raw.data or b"",
            message_id=(raw.headers or {}).get(api.Header.MSG_ID, ""),
            sequence=raw.seq,
            # Nobody counts how often it is found: it is taken alone, and its attempt is on disk first.
            tries=SUSPECT_TRIES + 1,
            stored=raw.time if isinstance(raw.time, datetime) else datetime.fromisoformat(raw.time),
            remove=partial(self._remove, raw.seq),
        )

    async def _remove(self, sequence: int) -> None:
        with translated():
            answer = await self._ask(
                f"STREAM.MSG.DELETE.{self._stream.name}", {"seq": sequence, "no_erase": True}
            )
        if answer.get("error", {}).get("err_code", _GONE) != _GONE:
            raise Unavailable(f"a message that was left behind cannot be removed: {answer['error']}")

    async def _floor(self) -> int:
        info = await self._ask(f"CONSUMER.INFO.{self._stream.name}.{self._durable.name}", {})
        if "error" in info:
            raise Unavailable(f"the durable {self._durable.name} cannot be looked at")
        return int(info["ack_floor"]["stream_seq"])

    async def _ask(self, what: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = await self._bus.client.request(
            f"$JS.API.{what}", json.dumps(request).encode(), timeout=_ANSWER_SECONDS
        )
        heed_cancellation()
        answered: dict[str, Any] = json.loads(answer.data)
        return answered

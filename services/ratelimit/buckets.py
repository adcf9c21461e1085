"""Buckets, quotas and overrides in Valkey, by the functions in `spend.lua`: one atomic call for each step.

Valkey may be lost, slow or empty at any time. What it lost it is told again by whoever finds it missing, the functions
themselves included; a call that is not answered in time fails, and ingest decides by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.chassis.errors import Unavailable
from services.chassis.settings import Secret
from services.ratelimit import quota, valkey
from services.ratelimit.decision import (
    Answer,
    BaseNeeded,
    Certainty,
    Decision,
    LaterNeeded,
    OverridesNeeded,
    Question,
    Standing,
)
from services.ratelimit.limits import Defaults, Name, Source
from services.ratelimit.overrides import WHOLE_COMPANY, Overrides
from services.ratelimit.quota import Base
from services.ratelimit.valkey import ASK_SECONDS, FunctionsLost, Line

_HEADER = 42
"""The last byte of a spend's header: a scanner's id of 36 characters and a month of 7."""
_TRIES = 2
"""Functions that are lost are told again, once for each call."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Run = Callable[..., Awaitable[Any]]
"""Runs a command, such as `Line.ask`."""


class Buckets:
    """What is left to whom. Every method raises Unavailable when Valkey does not answer in time."""

    def __init__(self, line: Line) -> None:
        self._line = line
        source = (Path(__file__).parent / "spend.lua").read_text()
        # Named by its text: replicas of two versions, each with its own functions, work side by side.
        self._version = hashlib.sha256(source.encode()).hexdigest()[:12]
        self._library = source.replace("@VERSION@", self._version)

    async def ping(self) -> None:
        """Return if Valkey answers."""
        await self._line.tell("PING")

    async def spend(self, question: Question) -> Answer:
        """Decide and charge, or answer what is needed first; the same `spend_id` again is answered as it was."""
        return _answer(question, await self._decide(self._line.ask, "FCALL", "spend", question))

    async def peek(self, question: Question) -> Answer:
        """Answer how the limits stand, or what is needed first; an operator can wait longer than a scan."""
        return _answer(question, await self._decide(self._line.tell, "FCALL_RO", "peek", question))

    async def refund(self, company_id: int, spend_id: str, count: int) -> int:
        """Give back up to `count` scans of a spend and answer how many; 0 if it is unknown or was refunded before."""
        key = _keys(company_id, spend_id=spend_id)[-1]
        header = await self._line.tell("GETRANGE", key, 0, _HEADER)
        if not header:
            return 0
        scanner_id, period = header[:36].decode(), header[36:].decode()
        keys = _keys(company_id, scanner_id, period, spend_id)
        return int(await self._call(self._line.tell, "FCALL", "refund", keys, count))

    async def rebase(self, base: Base, now: datetime) -> None:
        """Take in what the ledger says; less than what is known already changes nothing."""
        keys = _keys(base.company_id, period=base.period)
        times = (_micros(base.watermark), _micros(base.as_of))
        await self._call(self._line.tell, "FCALL", "rebase", keys, _micros(now), base.total, *times)

    async def set_overrides(self, company_id: int, overrides: Overrides, read: datetime) -> None:
        """Put a company's overrides in place of older ones; `read` is when they were read from the database."""
        fields: list[str | int] = []
        for (scanner_id, name), value in overrides.values.items():
            fields += [f"{'' if scanner_id == WHOLE_COMPANY else scanner_id}/{name}", value]
        keys = _keys(company_id)
        await self._call(
            self._line.tell, "FCALL", "override", keys, overrides.revision, _micros(read), *fields
        )

    async def load(self) -> None:
        """Tell Valkey the functions; harmless if it has them."""
        await self._line.tell("FUNCTION", "LOAD", "REPLACE", self._library)

    async def _decide(self, run: Run, command: str, function: str, question: Question) -> list[Any]:
        holder, period = question.holder, quota.period_of(question.accept_time)
        keys = _keys(holder.company_id, holder.scanner_id, period, question.spend.spend_id)
        answer: list[Any] = await self._call(run, command, function, keys, *_arguments(question, period))
        return answer

    async def _call(
        self, run: Run, command: str, function: str, keys: tuple[str, ...], *arguments: object
    ) -> Any:
        words = (command, f"limits_{function}_{self._version}", len(keys), *keys, *arguments)
        for _ in range(_TRIES):
            try:
                return await run(*words)
            except FunctionsLost:
                await self.load()
        raise Unavailable("the limits' store loses its functions as soon as they are told")


@asynccontextmanager
async def connected(url: Secret, *, ask_seconds: float = ASK_SECONDS) -> AsyncIterator[Buckets]:
    """Open the buckets at `redis://user:password@host:port/0`; connections are made when needed.

    Args:
        url: where, and as which user.
        ask_seconds: how long a decision waits for Valkey.
    """
    async with valkey.connected(url, ask_seconds=ask_seconds) as line:
        yield Buckets(line)


def _keys(
    company_id: int, scanner_id: str = "", period: str = "", spend_id: str = ""
) -> tuple[str, str, str, str, str]:
    """Answer the keys in the order of `spend.lua`; one hash tag, so that a cluster has them all in one place."""
    tag = f"{{c:{company_id}}}:limits"
    return (
        f"{tag}:overrides",
        f"{tag}:scanner:{scanner_id}",
        f"{tag}:company",
        f"{tag}:quota:{period}",
        f"{tag}:spend:{spend_id}",
    )


def _arguments(question: Question, period: str) -> list[str | int]:
    words: list[str | int] = [
        _micros(question.now),
        _micros(question.accept_time),
        question.holder.scanner_id,
        question.spend.cost,
        int(question.spend.partial),
        question.defaults.enforcement,
        int(question.trust),
        question.holder.scanner_id + period,
    ]
    for name in Name:
        value = question.defaults.by_name[name].value
        words += [name, "" if value is None else value]
    return words


def _answer(question: Question, reply: list[Any]) -> Answer:
    match reply:
        case [b"overrides"]:
            return OverridesNeeded()
        case [b"later", watermark]:
            return LaterNeeded(_time(watermark))
        case [b"base", why]:
            return BaseNeeded(stale=why == b"stale")
        case [b"decided", granted, accept_time, read_time, certainty, entries]:
            return Decision(
                granted=granted,
                accept_time=_time(accept_time),
                overrides_read=_time(read_time),
                certainty=Certainty(certainty.decode()),
                standings=tuple(_standing(question.defaults, entry) for entry in entries),
            )
    raise ValueError(f"no answer of ours: {reply!r}")


def _standing(defaults: Defaults, entry: list[Any]) -> Standing:
    name, limit, overridden_by, remaining, refused, detail = entry
    known = Name(name.decode())
    of_quota = known is Name.COMPANY_MONTH
    return Standing(
        name=known,
        limit=limit,
        source=Source(overridden_by.decode()) if overridden_by else defaults.by_name[known].source,
        remaining=remaining,
        refused=bool(refused),
        wait=timedelta() if of_quota else timedelta(microseconds=detail),
        ledger_total=detail if of_quota else 0,
    )


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _time(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)

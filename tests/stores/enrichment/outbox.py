"""Where a worker's events go in these tests: kept, with a crash or an outage where the test wants one."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import Message
from scanmesh.enrichment.v1 import events_pb2
from scanmesh.ingest.v1 import events_pb2 as ingest_pb2

from services.chassis.bus import Outgoing
from services.chassis.errors import Unavailable
from services.chassis.subjects import DEAD_LETTER_WRITTEN, SCANS_TALLIED, Kind, scan_enriched
from tests.fakes.identities import COMPANY_ID


class Crash(BaseException):
    """The process is gone; nothing catches that."""


class Outbox:
    """Keeps each event by its id, as a stream does."""

    def __init__(self) -> None:
        self.up = True
        self.crash_before: set[str] = set()
        """`events`, `letters`: what the process does not live to hand over."""
        self.offered: list[Outgoing] = []

    async def hand_over(self, messages: Iterable[Outgoing]) -> None:
        taken = list(messages)
        letters = any(each.subject == DEAD_LETTER_WRITTEN for each in taken)
        if taken and ("letters" if letters else "events") in self.crash_before:
            raise Crash
        if not self.up:
            raise Unavailable("the bus is down")
        self.offered += taken

    @property
    def stored(self) -> set[Outgoing]:
        """What a stream would hold; two bodies under one id would both be in here."""
        return set(self.offered)

    @property
    def subjects(self) -> list[str]:
        """In the order in which they were first handed over."""
        return list(dict.fromkeys(each.subject for each in self.offered))

    @property
    def told(self) -> dict[str, str]:
        """The GTINs that watchers of company 7 were told, by scan."""
        messages = self._read(scan_enriched(Kind.BARCODE, COMPANY_ID), events_pb2.ScansEnriched)
        scans = (each.enrichment for message in messages for each in message.scans)
        return {each.scan_id: each.product.gtin for each in scans}

    @property
    def counted(self) -> list[tuple[int, int]]:
        """The numbers of scans enriched and failed, sorted."""
        messages = self._read(SCANS_TALLIED, events_pb2.ScansTallied)
        return sorted((each.enriched, each.failed) for message in messages for each in message.tallies)

    @property
    def revived(self) -> list[str]:
        """The letters that replays have answered, sorted."""
        messages = self._read(SCANS_TALLIED, events_pb2.ScansTallied)
        return sorted(each.dead_letter_id for message in messages for each in message.revived_letters)

    @property
    def letters(self) -> list[ingest_pb2.DeadLetterWritten]:
        """The dead letters, by their place in the message."""
        letters = self._read(DEAD_LETTER_WRITTEN, ingest_pb2.DeadLetterWritten)
        return sorted(letters, key=lambda letter: letter.index)

    def _read(self, subject: str, message: type[Message]) -> list[Message]:
        return [message.FromString(each.payload) for each in self.stored if each.subject == subject]

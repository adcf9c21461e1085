"""What is told of results: pure functions of a ScansRecorded event and of the results stored for it.

So it does not matter who computed a result, how often this is derived, or when: the same bytes leave under the same
id. Parts are fixed ranges of the scans' places, never of what happens to be stored, and small enough for a message.
The version that is stamped in the event stands in every id: another way to derive is another version.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from scanmesh.enrichment.v1 import enrichment_pb2, events_pb2
from scanmesh.ingest.v1 import events_pb2 as ingest_pb2

from services.chassis import wire
from services.chassis.bus import Outgoing
from services.chassis.derived import derived_id
from services.chassis.subjects import DEAD_LETTER_WRITTEN, SCANS_TALLIED, Kind, scan_enriched
from services.enrichment.recorded import Recorded, RecordedScan, Source
from services.enrichment.results import FAILURE, Result, State, consumer

SCANS_IN_PART = 1_000
"""Places in one part, as many as a batch has scans: an event of so many stays below the bus' 1 MiB several times."""
_MAX_UNREADABLE_BYTES = 768 * 1024
"""Kept of a message that nobody can read: more than the recorder ever writes."""

Won = tuple[RecordedScan, Result]
"""A scan, with the result that its event won."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is derived from one event."""

    events: Sequence[Outgoing]
    letters: Sequence[Outgoing]
    """To be handed over when the events are on disk: an operator may replay a letter at once."""


def derive(event: Recorded, source: Source, stored: Iterable[Result]) -> Told:
    """Answer what is told of the results that an event has won."""
    by_key = {result.key: result for result in stored if result.recorded_id == event.event_id}
    won = [(scan, by_key[scan.key]) for scan in event.scans if scan.key in by_key]
    events = [
        outgoing
        for part, of_part in _grouped(won, lambda each: each[0].index // SCANS_IN_PART)
        for outgoing in (*_enriched(event, source, part, of_part), *_tallied(event, source, part, of_part))
    ]
    return Told(
        events, [_letter(scan, result, source) for scan, result in won if result.state is State.FAILED]
    )


def rendered(result: Result) -> enrichment_pb2.Enrichment:
    """Answer a result that did not fail as the contract writes it."""
    enrichment = enrichment_pb2.Enrichment()
    _write(result, enrichment)
    return enrichment


def _write(result: Result, into: enrichment_pb2.Enrichment) -> None:
    into.MergeFromString(result.result or b"")
    into.scan_id = str(result.scan_id)
    into.kind = result.kind
    into.enrich_time.CopyFrom(wire.timestamp(result.enrich_time))


def unreadable(payload: bytes, source: Source, *, message_id: str, tries: int, now: datetime) -> Outgoing:
    """Answer the letter of a message that nobody can read; it belongs to no company."""
    letter = ingest_pb2.DeadLetterWritten(
        dead_letter_id=str(derived_id("LETTER", consumer(source.kind), message_id, 0, FAILURE)),
        consumer=consumer(source.kind),
        reason=FAILURE,
        tries=tries,
        fail_time=wire.timestamp(now),
        message_id=message_id,
        lane=source.lane,
        payload=payload[:_MAX_UNREADABLE_BYTES],
    )
    return _outgoing(DEAD_LETTER_WRITTEN, letter, letter.dead_letter_id)


def _enriched(event: Recorded, source: Source, part: int, won: Sequence[Won]) -> Iterator[Outgoing]:
    fine = [each for each in won if each[1].state is State.OK]
    for company_id, of_company in _grouped(fine, lambda each: each[0].company_id):
        event_id = derived_id(event.version, "ENRICHED", str(event.event_id), source.kind, company_id, part)
        message = events_pb2.ScansEnriched(
            event_id=str(event_id),
            company_id=company_id,
        )
        for scan, result in of_company:
            _write(result, message.scans.add(scanner_id=str(scan.scanner_id)).enrichment)
        yield _outgoing(scan_enriched(source.kind, company_id), message, message.event_id)


def _tallied(event: Recorded, source: Source, part: int, won: Sequence[Won]) -> Iterator[Outgoing]:
    message = events_pb2.ScansTallied(
        event_id=str(derived_id(event.version, "TALLY", str(event.event_id), source.kind, part)),
        tallies=_tallies(won, source.kind, taken_back=event.replayed_id is not None),
    )
    if event.replayed_id is not None:
        # Failed once more, the scan has a new letter: the old one is answered all the same.
        message.revived_letters.extend(
            events_pb2.RevivedLetter(
                company_id=result.company_id, dead_letter_id=result.letter_of(event.replayed_id)
            )
            for _, result in won
        )
    yield _outgoing(SCANS_TALLIED, message, message.event_id)


def _tallies(won: Sequence[Won], kind: Kind, *, taken_back: bool) -> Iterator[events_pb2.Tally]:
    """Count by row of the statistics; a replay takes back the failure that was counted for its scan."""
    counts: dict[tuple[int, UUID, str, int], dict[State, int]] = defaultdict(lambda: dict.fromkeys(State, 0))
    for scan, result in won:
        counted = counts[scan.company_id, scan.scanner_id, scan.region, scan.minute]
        counted[result.state] += 1
        counted[State.FAILED] -= taken_back
    for (company_id, scanner_id, region, minute), counted in sorted(counts.items()):
        if any(counted.values()):
            yield events_pb2.Tally(
                company_id=company_id,
                scanner_id=str(scanner_id),
                kind=kind,
                region=region,
                minute_time=Timestamp(seconds=minute),
                enriched=counted[State.OK],
                failed=counted[State.FAILED],
            )


def _letter(scan: RecordedScan, result: Result, source: Source) -> Outgoing:
    letter = ingest_pb2.DeadLetterWritten(
        dead_letter_id=result.letter_id,
        company_id=result.company_id,
        consumer=consumer(result.kind),
        reason=FAILURE,
        tries=result.tries,
        fail_time=wire.timestamp(result.enrich_time),
        message_id=str(result.recorded_id),
        index=result.index,
        scanner_id=str(result.scanner_id),
        region=result.region,
        lane=source.lane,
        accept_time=wire.timestamp(result.accept_time),
        scan=scan.scan,
    )
    return _outgoing(DEAD_LETTER_WRITTEN, letter, letter.dead_letter_id)


def _outgoing(subject: str, message: Message, message_id: str) -> Outgoing:
    return Outgoing(subject, message.SerializeToString(deterministic=True), message_id)


def _grouped(won: Sequence[Won], key: Callable[[Won], int]) -> Sequence[tuple[int, Sequence[Won]]]:
    """Answer groups by key, in the order of the keys; inside of one the order stays."""
    groups: dict[int, list[Won]] = defaultdict(list)
    for each in won:
        groups[key(each)].append(each)
    return sorted(groups.items())

"""What reached the bus, read as the recorder reads it."""

from __future__ import annotations

from scanmesh.ingest.v1 import events_pb2, scan_pb2

from tests.fakes.bus import Message, RecordingBus


def decode(message: Message) -> events_pb2.ScansAccepted:
    return events_pb2.ScansAccepted.FromString(message.payload)


def submissions(bus: RecordingBus) -> list[events_pb2.Submission]:
    return [submission for message in bus.stored for submission in decode(message).submissions]


def scans(bus: RecordingBus) -> list[scan_pb2.Scan]:
    return [scan for submission in submissions(bus) for scan in submission.scans]

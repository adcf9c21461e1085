"""A scan's content as one number, by which a resend is told from another scan under a used id.

Content is what the client set, and nothing that the server adds: a device without a clock sends the same content
again, whenever that is. Hashed field by field: the order in which protobuf writes a map is not the same everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from scanmesh.ingest.v1 import scan_pb2

_BYTES = 8


def digest(scan: scan_pb2.Scan) -> int:
    """Answer a signed 64-bit number that is the same for the same content, on every machine and for good."""
    # A part's length goes before it, so no two lists of parts run together into the same text.
    text = "".join([f"{len(part)}:{part}" for part in _parts(scan)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=_BYTES).digest(), signed=True)


def _parts(scan: scan_pb2.Scan) -> Iterator[str]:
    yield f"{scan.scan_time.seconds}.{scan.scan_time.nanos}" if scan.HasField("scan_time") else ""
    yield scan.location
    yield scan.operator
    yield str(len(scan.attributes))  # else a pair could pass for the fields that follow
    for pair in sorted(scan.attributes.items()):
        yield from pair
    kind = scan.WhichOneof("payload") or ""
    yield kind
    if kind:
        # Only what is set, by name: a field that a later version adds changes no digest of scans without it.
        for field, value in getattr(scan, kind).ListFields():
            yield field.name
            yield str(value)

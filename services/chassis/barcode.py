"""What a barcode must be to be accepted (CONTRACT section 2): spelt alike by who takes scans and who only reads them."""

from __future__ import annotations

from collections.abc import Iterator

from scanmesh.ingest.v1 import scan_pb2

MAX_DATA = 4_296
"""Characters of a barcode: what the largest QR code holds in alphanumeric mode (ISO/IEC 18004)."""
MAX_TEXT = 256

Found = Iterator[tuple[str, str]]
"""Fields, by their path in the scan, and what is wrong with each."""


def violations(barcode: scan_pb2.Barcode) -> Found:
    """Yield everything that is wrong with a barcode."""
    if not barcode.data:
        yield "barcode.data", "is required"
    yield from text("barcode.data", barcode.data, MAX_DATA)
    yield from text("barcode.symbology_identifier", barcode.symbology_identifier, MAX_TEXT)
    yield from text("barcode.format", barcode.format, MAX_TEXT)


def text(field: str, value: str, longest: int, *, what: str = "it") -> Found:
    """Yield what is wrong with a text of at most `longest` characters."""
    if len(value) > longest:
        yield field, f"{what} must not be longer than {longest} characters"
    if "\0" in value:  # PostgreSQL stores no U+0000
        yield field, f"{what} must not contain U+0000"

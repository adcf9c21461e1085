"""Feeds that tests enrich by."""

from __future__ import annotations

from scanmesh.enrichment.v1 import enrichment_pb2

from services.chassis.subjects import Kind, Lane
from services.enrichment.recorded import Source

SOURCE = Source(Kind.BARCODE, Lane.STANDARD)
POISON = "poison"


def answering(gtin):
    """A feed that says the same of everything, and chokes on poison."""

    def enrich(of):
        if of.barcode.data == POISON:
            raise ValueError("poison")
        return enrichment_pb2.Enrichment(product=enrichment_pb2.Product(gtin=gtin))

    return enrich

"""What is made of the scans of each kind: the one place that a new kind is entered in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scanmesh.enrichment.v1 import enrichment_pb2
from scanmesh.ingest.v1 import scan_pb2

from services.chassis.subjects import Kind
from services.enrichment.product import render as product

Enrich = Callable[[scan_pb2.Scan], enrichment_pb2.Enrichment]
"""Answers what is made of a scan: an Enrichment with the kind's part alone."""

KINDS: Mapping[Kind, Enrich] = {Kind.BARCODE: product.enrich}

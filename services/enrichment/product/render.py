"""Writes what a barcode says as the contract's messages."""

from __future__ import annotations

from scanmesh.enrichment.v1 import enrichment_pb2
from scanmesh.ingest.v1 import scan_pb2

from services.enrichment.product.parse import parse


def enrich(scan: scan_pb2.Scan) -> enrichment_pb2.Enrichment:
    """Answer what is made of a scan of the kind `barcode`: the result, without whose and when."""
    enrichment = enrichment_pb2.Enrichment()
    _write(scan.barcode, enrichment.product)
    return enrichment


def product(barcode: scan_pb2.Barcode) -> enrichment_pb2.Product:
    """Answer what a barcode says about a product."""
    written = enrichment_pb2.Product()
    _write(barcode, written)
    return written


def _write(barcode: scan_pb2.Barcode, into: enrichment_pb2.Product) -> None:
    """Write what a barcode says into an empty message: in place, which is done for every scan."""
    read = parse(barcode.data, barcode.symbology_identifier, barcode.format)
    into.SetInParent()  # a product about which nothing is known is one all the same
    into.gtin = read.gtin
    into.format = read.form
    into.check_digit_valid = read.check_digit_valid
    into.symbology = read.symbology
    into.gs1_prefix_country = read.prefix.country
    into.gs1_prefix_range = read.prefix.use

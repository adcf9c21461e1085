"""Writes what a barcode says as the contract's messages."""

from __future__ import annotations

from scanmesh.enrichment.v1 import enrichment_pb2
from scanmesh.ingest.v1 import scan_pb2

from services.enrichment.product.parse import parse


def enrich(scan: scan_pb2.Scan) -> enrichment_pb2.Enrichment:
    """Answer what is made of a scan of the kind `barcode`: the result, without whose and when."""
    return enrichment_pb2.Enrichment(product=product(scan.barcode))


def product(barcode: scan_pb2.Barcode) -> enrichment_pb2.Product:
    """Answer what a barcode says about a product."""
    read = parse(barcode.data, barcode.symbology_identifier, barcode.format)
    return enrichment_pb2.Product(
        gtin=read.gtin,
        format=read.form,
        check_digit_valid=read.check_digit_valid,
        symbology=read.symbology,
        gs1_prefix_country=read.prefix.country,
        gs1_prefix_range=read.prefix.use,
    )

"""ParseBarcode says what enrichment would, and refuses what ingest would."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from scanmesh.enrichment.v1 import enrichment_pb2
from scanmesh.ingest.v1 import scan_pb2

from services.chassis.errors import InvalidArgument, PermissionDenied, Unauthenticated
from services.chassis.identity import Role
from services.ingest import scan as ingest
from tests.fakes import identities
from tests.fakes.recorded import delivered, recorded, scan_ids
from tests.fakes.scans import scan
from tests.servers.rpc import failure, signed


@pytest.fixture
def parse(enrichment, signer):
    """Call as a scanner, or as said."""

    def call(who=None, **barcode):
        asked = enrichment_pb2.ParseBarcodeRequest(barcode=scan_pb2.Barcode(**barcode))
        return enrichment.ParseBarcode(asked, metadata=signed(signer, who or identities.scanner()))

    return call


@pytest.mark.parametrize(
    "who", [identities.scanner(), *(identities.operator(role) for role in Role if role is not Role.SCANNER)]
)
async def test_scanners_and_operators_may_ask(parse, who):
    answer = await parse(who, data="9781492053743", symbology_identifier="]E0")
    assert answer.product == enrichment_pb2.Product(
        gtin="09781492053743",
        format="gtin_13",
        check_digit_valid=True,
        symbology="ean_13",
        gs1_prefix_range="isbn",
    )


async def test_who_has_no_identity_is_refused(enrichment):
    asked = enrichment_pb2.ParseBarcodeRequest(barcode=scan_pb2.Barcode(data="1"))
    assert isinstance(await failure(enrichment.ParseBarcode(asked)), (Unauthenticated, PermissionDenied))


async def test_a_wrong_check_digit_is_an_answer(parse):
    assert (await parse(data="5901234123458")).product == enrichment_pb2.Product(format="gtin_13")


@pytest.mark.parametrize(
    "barcode",
    [
        {"data": ""},
        {"data": "1" * 4_297},
        {"data": "a\0b", "format": "x" * 257, "symbology_identifier": "\0" * 257},
    ],
)
async def test_what_ingest_would_refuse_is_refused_with_the_same_violations(parse, barcode):
    error = await failure(parse(**barcode))
    assert isinstance(error, InvalidArgument)
    refused = ingest.violations(
        scan(barcode=scan_pb2.Barcode(**barcode), data=barcode["data"]), datetime.now(UTC)
    )
    assert error.violations == refused != ()


async def test_a_request_without_a_barcode_is_refused(enrichment, signer):
    call = enrichment.ParseBarcode(
        enrichment_pb2.ParseBarcodeRequest(), metadata=signed(signer, identities.scanner())
    )
    assert isinstance(await failure(call), InvalidArgument)


@pytest.fixture
def enriched(enrichment, enricher, signer, clock):
    """Have a scan of a barcode enriched, and answer what was made of it."""

    async def enriched_(data):
        event = recorded(scan(data=data), accept_time=clock())
        await enricher.handle([delivered(event)])
        asked = enrichment_pb2.GetEnrichmentRequest(scan_id=str(scan_ids(event)[0]))
        answer = await enrichment.GetEnrichment(asked, metadata=signed(signer, identities.operator()))
        return answer.enrichment.product

    return enriched_


@pytest.mark.parametrize("data", ["4006381333931", "04252614", "no number", "1" * 4_296])
async def test_the_answer_is_what_enrichment_makes_of_such_a_scan(parse, enriched, data):
    assert (await parse(data=data)).product == await enriched(data)

"""Where in a barcode's data the GTIN stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scanmesh.enrichment.v1 import enrichment_pb2
from scanmesh.ingest.v1 import scan_pb2

from services.chassis.subjects import Kind
from services.enrichment.kinds import KINDS
from services.enrichment.product import render, symbology
from services.enrichment.product.parse import Product, parse
from services.enrichment.product.prefixes import Prefix

GTIN = "05901234123457"


def test_everything_is_told_of_a_product():
    assert parse("5901234123457", "]E0", "gtin_13") == Product(
        gtin=GTIN, form="gtin_13", check_digit_valid=True, symbology="ean_13", prefix=Prefix(country="PL")
    )


def test_of_a_wrong_check_digit_only_the_form_is_told():
    assert parse("5901234123458", "]E0") == Product(form="gtin_13", symbology="ean_13")


@pytest.mark.parametrize(
    ("data", "identifier"),
    [
        ("0105901234123457", "]C1"),
        ("010590123412345715210526", "]C1"),
        ("010590123412345721A\x1d10B", "]d2"),
        ("0105901234123457", "]e0"),
        ("010590123412345710X", "]Q3"),
        ("\x1d010590123412345710X", ""),
        ("\x1d0105901234123457", "]C1"),
        ("(01)05901234123457", ""),
        ("(01)05901234123457(10)X", "]d2"),
        ("0105901234123457", ""),
        ("05901234123457", "]I1"),
        ("590123412345712", "]E3"),
        ("590123412345712345", "]E3"),
        ("]C1010590123412345715210526", ""),
        ("]E05901234123457", ""),
        (" 5901234123457\r\n", ""),
    ],
)
def test_the_gtin_is_found(data, identifier):
    assert parse(data, identifier).gtin == GTIN


@pytest.mark.parametrize(
    ("data", "identifier"),
    [
        ("0205901234123457", "]C1"),  # what is in a pallet, not what the barcode is on
        ("00157035381410375177", "]C1"),
        ("0105901234123457", "]C0"),  # no FNC1: not GS1's
        ("010590123412345710X", ""),
        ("0105901234123458", ""),
        ("(01)059012341234571", ""),
        ("12", "]E1"),
        ("5901234 123457", ""),
        ("\u0665\u0669\u0660\u0661\u0662\u0663\u0664\u0661\u0662\u0663\u0664\u0665\u0667", ""),
        ("0123456789\u2070\u2070\u2070", ""),
        ("https://id.gs1.org/01/05901234123457", "]Q3"),
        ("ABC-123", "]A0"),
        ("", ""),
    ],
)
def test_what_is_no_gtin_says_nothing(data, identifier):
    read = parse(data, identifier)
    assert (read.gtin, read.form, read.check_digit_valid, read.prefix) == ("", "", False, Prefix())


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("]E0", "ean_13"),
        ("]E4", "ean_8"),
        ("]C0", "code_128"),
        ("]C1", "gs1_128"),
        ("]d1", "data_matrix"),
        ("]d2", "gs1_datamatrix"),
        ("]Q1", "qr_code"),
        ("]Q3", "gs1_qr_code"),
        ("]e0", "gs1_databar"),
        ("]I1", "itf"),
        ("]A0", "code_39"),
        ("]L2", "pdf417"),
        ("]z3", "aztec_code"),
        ("]Y1abc", "system_expansion"),
        ("", ""),
        ("E0", ""),
        ("]", ""),
        ("]V0", ""),
        ("]E", ""),
    ],
)
def test_the_symbology_has_a_name(identifier, name):
    assert symbology.name(identifier) == name


@given(st.text(max_size=40), st.sampled_from(["", "]E0", "]C1", "]E3", "]"]), st.sampled_from(["", "upc_e"]))
def test_no_data_makes_it_fail_and_a_gtin_is_14_digits_or_nothing(data, identifier, told):
    read = parse(data, identifier, told)
    assert read.gtin == "" or (len(read.gtin) == 14 and read.gtin.isdecimal() and read.form)
    assert read.gtin or not read.check_digit_valid


def test_it_is_rendered_as_the_contract_says():
    barcode = scan_pb2.Barcode(data="9781492053743", symbology_identifier="]E0")
    assert render.enrich(scan_pb2.Scan(barcode=barcode)) == enrichment_pb2.Enrichment(
        product=enrichment_pb2.Product(
            gtin="09781492053743",
            format="gtin_13",
            check_digit_valid=True,
            symbology="ean_13",
            gs1_prefix_range="isbn",
        )
    )


def test_there_is_something_to_make_of_every_kind():
    assert set(KINDS) == set(Kind)

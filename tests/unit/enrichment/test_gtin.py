"""GTINs in all the forms in which readers send them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enrichment.product import check_digit, gtin
from services.enrichment.product.gtin import Form


def read(digits, told="", identifier=""):
    return gtin.read(digits, told, identifier)


@pytest.mark.parametrize(
    ("digits", "form", "number"),
    [
        ("96385074", Form.GTIN_8, "00000096385074"),
        ("036000291452", Form.GTIN_12, "00036000291452"),
        ("4006381333931", Form.GTIN_13, "04006381333931"),
        ("15400141288763", Form.GTIN_14, "15400141288763"),
        ("0036000291452", Form.GTIN_13, "00036000291452"),
    ],
)
def test_a_number_is_read_in_the_form_of_its_length(digits, form, number):
    assert read(digits) == gtin.Reading(form, number, check_digit=True)


@pytest.mark.parametrize("digits", ["", "1", "12345", "123456789", "4006381333931000", "123456", "1234567"])
def test_digits_of_another_length_are_none(digits):
    assert read(digits) is None


def test_a_wrong_check_digit_is_told_and_the_form_kept():
    wrong = read("4006381333930")
    assert (wrong.form, wrong.check_digit) == (Form.GTIN_13, False)


# Each line another rule of where the zeros were left out (GS1 General Specifications 5.2.2.4.2).
UPC_E = [
    ("01234505", "012000003455"),
    ("04252614", "042100005264"),
    ("01234523", "012200003453"),
    ("01234531", "012300000451"),
    ("01234543", "012340000053"),
    ("01234558", "012345000058"),
    ("01234590", "012345000096"),
    ("14252611", "142100005261"),
]


@pytest.mark.parametrize(("printed", "upc_a"), UPC_E)
def test_upc_e_is_expanded(printed, upc_a):
    check = check_digit.of(upc_a[:-1])
    assert read(printed[:-1] + str(check), "upc_e") == gtin.Reading(
        Form.UPC_E, f"00{upc_a[:-1]}{check}", check_digit=True
    )


@pytest.mark.parametrize(
    ("digits", "number"),
    [("425261", "00042100005264"), ("0425261", "00042100005264"), ("1425261", "00142100005261")],
)
@pytest.mark.parametrize(("told", "identifier"), [("upc_e", ""), ("", "]E0")])
def test_upc_e_without_its_check_digit_gets_it(digits, number, told, identifier):
    assert read(digits, told, identifier) == gtin.Reading(Form.UPC_E, number, check_digit=None)


@pytest.mark.parametrize("system", "23456789")
def test_upc_e_has_number_system_0_or_1(system):
    assert read(f"{system}425261", "upc_e") is None


@pytest.mark.parametrize(
    ("told", "identifier", "form"),
    [
        ("", "", Form.GTIN_8),
        ("gtin_8", "]E0", Form.GTIN_8),
        ("", "]E4", Form.GTIN_8),
        ("upc_e", "", Form.UPC_E),
        ("upc_e", "]E4", Form.UPC_E),
        ("", "]E0", Form.UPC_E),
        ("ean8", "", Form.GTIN_8),
    ],
)
def test_eight_digits_whose_check_digit_fits_both_forms_are_what_the_reader_says(told, identifier, form):
    assert read("12345670", told, identifier).form is form


def test_eight_digits_that_fit_only_one_form_are_of_that_form():
    assert read("04252614").form is Form.UPC_E
    assert read("96385074", identifier="]E0").form is Form.GTIN_8


def test_the_readers_word_is_not_doubted_even_if_the_check_digit_is_wrong():
    assert read("04252614", "gtin_8") == gtin.Reading(Form.GTIN_8, "00000004252614", check_digit=False)


@given(st.text("0123456789", min_size=6, max_size=14), st.sampled_from(["", "upc_e", "gtin_8"]))
def test_whatever_is_read_has_14_digits_and_its_check_digit_is_told_truly(digits, told):
    reading = read(digits, told)
    if reading is not None:
        assert len(reading.number) == gtin.DIGITS
        assert (
            check_digit.fits(reading.number) == (reading.check_digit is not False)
            or reading.form is Form.UPC_E
        )

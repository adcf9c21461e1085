"""The GTIN, UPC-E, check digit, prefix and symbology cases of biip's own tests (`../shared/data/gs1/SOURCE.md`).

What they call a usage stands here once as the country or use it means; what differs on purpose stands in `DIFFERENT`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.enrichment.product import check_digit, prefixes, symbology
from services.enrichment.product.parse import parse
from services.enrichment.product.prefixes import Prefix

FILE = Path(__file__).parents[4] / "shared/data/gs1/biip_cases.jsonl"
if not FILE.exists():
    pytest.skip("the cases of biip are not on this machine", allow_module_level=True)

DIFFERENT = {
    "biip_cases-75897b9c83": "a number with five leading zeros is a GTIN-8, by whose prefix it is judged: a prefix that"
    " is kept unused so that the two do not collide is never asked for",
    "biip_cases-6a0b2fb5bb": "a GS1 Digital Link is not read yet",
    "biip_cases-add859ab6d": "]I1 is told as what it is, an ITF symbol: only 14 digits make it an ITF-14",
    "biip_cases-6c7e0179b5": "the same",
}
"""Besides: `format` is the form that was read, 14 digits are `gtin_14`; biip tells the shortest form that would do."""

USAGES = {
    "GS1 US": Prefix("US"),
    "GS1 Norway": Prefix("NO"),
    "GS1 Poland": Prefix("PL"),
    "GS1 UK - GTIN-8": Prefix("GB"),
    "GS1 Poland - GTIN-8": Prefix("PL"),
    "GS1 Global Office - GTIN-8": Prefix(use="global_office"),
    "Global Office - GTIN-8": Prefix(use="global_office"),
    "Bookland (ISBN)": Prefix(use="isbn"),
    "Unused to avoid collision with GTIN-8": Prefix(use="unused"),
}


def told(value: str) -> str:
    """The form a reader of UPC-E tells; without it eight digits are a GTIN-8."""
    return "upc_e" if len(value) < 12 else ""


def is_check_digit(value: str, expected: int) -> bool:
    return check_digit.of(value) == expected


def is_no_number(value: str) -> bool:
    read = parse(value)
    return (read.gtin, read.form) == ("", "")


def refused(value: str) -> bool:
    with pytest.raises(ValueError):
        check_digit.of(value)
    return True


def is_gtin(value: str) -> bool:
    read = parse(value)
    return read.gtin == value.zfill(14) and read.check_digit_valid


def written_in(digits: int) -> Callable[..., bool]:
    return lambda value, expected: parse(value).gtin == expected.zfill(14) and len(expected) == digits


def does_not_fit_into(digits: int) -> Callable[..., bool]:
    return lambda value: int(parse(value).gtin[: 14 - digits]) > 0


def expanded(value: str, expected: str) -> bool:
    return parse(value, told=told(value)).gtin == expected.zfill(14)


def suppressed(value: str, expected: str) -> bool:
    return parse(value, told=told(value)).gtin == parse(expected, told="upc_e").gtin != ""


def is_upc_e(value: str, expected: dict[str, Any]) -> bool:
    read = parse(value, told="upc_e")
    return (read.form, int(read.gtin[-1])) == ("upc_e", expected["check_digit"])


def has_no_such_system(number_system: int) -> bool:
    return parse(f"{number_system}425261", told="upc_e").form == ""


def has_prefix(value: str, expected: dict[str, Any]) -> bool:
    return prefixes.of_gtin_13(value) == USAGES[expected["usage"]]


def has_gtin_8_prefix(value: str, expected: dict[str, Any] | None) -> bool:
    # biip answers nothing for what has no digits enough, and for what is not given to anybody.
    return prefixes.of_gtin_8(value) == (USAGES[expected["usage"]] if expected else prefixes.NONE)


def has_no_prefix(bad_value: str) -> bool:
    return prefixes.of_gtin_13(bad_value) == prefixes.of_gtin_8(bad_value) == prefixes.NONE


def is_parsed(value: str, expected: dict[str, Any]) -> bool:
    read, there = parse(value), expected.get("gtin")
    number = there["value"].zfill(14) if there else ""
    prefix = USAGES[there["prefix"]["usage"]] if there else prefixes.NONE
    return (read.gtin, read.prefix, read.symbology) == (
        number,
        prefix,
        named(expected.get("symbology_identifier")),
    )


def begins_with_gtin(value: str, expected: dict[str, Any]) -> bool:
    first = expected.get("element_strings", [expected])[0]
    there = first.get("gtin") if first["ai"] == "01" else None
    return parse(value, "]C1").gtin == (there["value"] if there else "")


def is_symbology(value: str, expected: dict[str, Any]) -> bool:
    return symbology.name(value) == named(expected)


def named(identifier: dict[str, Any] | None) -> str:
    if identifier is None:
        return ""
    told_by_gs1 = identifier.get("gs1_symbology") or identifier["iso_symbology"]
    return str(told_by_gs1.partition(".")[2].lower())


CHECKS: dict[str, Callable[..., bool]] = {
    "test_checksums.test_gs1_standard_check_digit": is_check_digit,
    "test_checksums.test_gs1_standard_check_digit_with_nonnumeric_value": refused,
    "gtin.test_parse.test_parse_nonnumeric_value": is_no_number,
    "gtin.test_parse.test_parse_gtin_8": is_gtin,
    "gtin.test_parse.test_parse_gtin_8_with_leading_zeros": is_gtin,
    "gtin.test_parse.test_parse_gtin_12_without_leading_zero": is_gtin,
    "gtin.test_parse.test_parse_gtin_12_with_1_leading_zero": is_gtin,
    "gtin.test_parse.test_parse_gtin_12_with_2_leading_zero": is_gtin,
    "gtin.test_parse.test_parse_gtin_12_with_3_leading_zero": is_gtin,
    "gtin.test_parse.test_parse_gtin_13": is_gtin,
    "gtin.test_encode.test_as_gtin_8": written_in(8),
    "gtin.test_encode.test_as_gtin_8_fails_for_too_long_values": does_not_fit_into(8),
    "gtin.test_encode.test_as_gtin_12": written_in(12),
    "gtin.test_encode.test_as_gtin_12_fails_for_too_long_values": does_not_fit_into(12),
    "gtin.test_encode.test_as_gtin_13": written_in(13),
    "gtin.test_encode.test_as_gtin_13_fails_for_too_long_values": does_not_fit_into(13),
    "gtin.test_encode.test_as_gtin_14": written_in(14),
    "upc.test_encode.test_as_upc_a": expanded,
    "upc.test_encode.test_as_upc_e": suppressed,
    "upc.test_encode.test_as_gtin_12": expanded,
    "upc.test_encode.test_as_gtin_13": expanded,
    "upc.test_encode.test_as_gtin_14": expanded,
    "upc.test_parse.test_parse_upc_e": is_upc_e,
    "upc.test_parse.test_parse_nonnumeric_value": is_no_number,
    "upc.test_parse.test_parse_upc_e_with_invalid_number_system": has_no_such_system,
    "test_gs1_prefixes.test_gs1_prefix": has_prefix,
    "test_gs1_prefixes.test_invalid_gs1_prefix": has_no_prefix,
    "test_gs1_prefixes.test_gs1_8_prefix": has_gtin_8_prefix,
    "test_gs1_prefixes.test_invalid_gs1_8_prefix": has_no_prefix,
    "test_parse.test_parse": is_parsed,
    "test_symbology.test_extract": is_symbology,
    "test_gs1_messages.test_parse": begins_with_gtin,
    "test_gs1_element_strings.test_extract": begins_with_gtin,
    "test_gs1_element_strings.test_extract_with_nested_error": begins_with_gtin,
}
"""The tests that are about what is read here, by name; company prefixes, other numbers and measures are not."""


def cases() -> dict[str, tuple[Callable[..., bool], dict[str, Any]]]:
    read = [json.loads(line) for line in FILE.read_text().splitlines()]
    named_tests = [(case, f"{case['module'].removeprefix('tests.')}.{case['test']}") for case in read]
    return {case["id"]: (CHECKS[name], case["params"]) for case, name in named_tests if name in CHECKS}


CASES = cases()


@pytest.mark.parametrize("case_id", sorted(set(CASES) - set(DIFFERENT)))
def test_a_case_of_biip_is_read_as_biip_does(case_id):
    check, params = CASES[case_id]
    assert check(**params), params


@pytest.mark.parametrize("case_id", sorted(DIFFERENT))
def test_a_case_that_differs_on_purpose_still_differs(case_id):
    check, params = CASES[case_id]
    assert not check(**params), f"no longer different: {DIFFERENT[case_id]}"

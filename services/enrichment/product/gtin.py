"""GTINs: the forms in which one can be read, and what its 14 digits are (GS1 General Specifications 3.3).

UPC-E is a UPC-A number whose zeros are left out. Its six digits are printed between a number system digit (0 or 1)
and the check digit of the whole number, which readers may or may not send along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.enrichment.product import check_digit

DIGITS = 14
"""A GTIN is always kept in 14 digits, padded with zeros on the left: so each number has one spelling."""


class Form(StrEnum):
    """The form in which a number was read."""

    GTIN_8 = "gtin_8"
    GTIN_12 = "gtin_12"
    GTIN_13 = "gtin_13"
    GTIN_14 = "gtin_14"
    UPC_E = "upc_e"


_BY_LENGTH = {8: Form.GTIN_8, 12: Form.GTIN_12, 13: Form.GTIN_13, 14: Form.GTIN_14}
_UPC_E_LENGTHS = (6, 7, 8)
_EAN_8, _EAN_13 = "]E4", ("]E0", "]E3")


@dataclass(frozen=True, slots=True)
class Reading:
    """Digits, read in one form."""

    form: Form
    number: str
    """The GTIN's 14 digits, right or wrong."""
    check_digit: bool | None
    """Whether the check digit that was read fits the others; None if none was read."""


def read(digits: str, told: str, identifier: str) -> Reading | None:
    """Read digits as a GTIN, or answer None if they are none.

    Eight digits may be a GTIN-8 or a UPC-E. Both check digits seldom fit, so the one that does decides. Otherwise the
    more likely form counts: a reader that sends `]E0` before eight digits has not expanded its UPC-E, for EAN-8 has
    `]E4` (ISO/IEC 15424); of one that tells nothing, GTIN-8 is assumed.

    Args:
        digits: nothing but 0 to 9.
        told: the form that the reader says it has read, or any other word.
        identifier: the symbology identifier that it sent, such as `]E0`; empty if it sent none.
    """
    readings = [reading for form in _forms(digits, told, identifier) if (reading := _as(form, digits))]
    fitting = [reading for reading in readings if reading.check_digit is not False]
    return next(iter([*fitting, *readings]), None)


def _forms(digits: str, told: str, identifier: str) -> Sequence[Form]:
    """Answer the forms that digits may have, the likeliest first."""
    is_upc_e = told == Form.UPC_E
    if len(digits) in _UPC_E_LENGTHS and is_upc_e:
        return [Form.UPC_E]
    if len(digits) == 8:
        if told == Form.GTIN_8 or identifier == _EAN_8:
            return [Form.GTIN_8]
        return [Form.UPC_E, Form.GTIN_8] if identifier in _EAN_13 else [Form.GTIN_8, Form.UPC_E]
    if len(digits) in _UPC_E_LENGTHS:
        return [Form.UPC_E] if identifier in _EAN_13 else []
    return [_BY_LENGTH[len(digits)]] if len(digits) in _BY_LENGTH else []


def _as(form: Form, digits: str) -> Reading | None:
    if form is Form.UPC_E:
        return _upc_e(digits)
    return Reading(form, digits.zfill(DIGITS), check_digit.fits(digits))


def _upc_e(digits: str) -> Reading | None:
    """Read six digits, with a number system digit before them or not, with a check digit behind them or not."""
    padded = digits if len(digits) > 6 else f"0{digits}"
    system, zeros_left_out, read = padded[0], padded[1:7], padded[7:]
    if system not in "01":
        return None
    payload = system + _expand(zeros_left_out)
    check = str(check_digit.of(payload))
    return Reading(Form.UPC_E, (payload + check).zfill(DIGITS), read == check if read else None)


def _expand(digits: str) -> str:
    """Put back the zeros that UPC-E leaves out: its last digit says where they were."""
    manufacturer, last = digits[:5], digits[5]
    if last in "012":
        return manufacturer[:2] + last + "0000" + manufacturer[2:]
    if last == "3":
        return manufacturer[:3] + "00000" + manufacturer[3:]
    if last == "4":
        return manufacturer[:4] + "00000" + manufacturer[4:]
    return manufacturer + "0000" + last

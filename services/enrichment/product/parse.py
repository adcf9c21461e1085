"""Reads a barcode: where in its data a GTIN stands, and what the GTIN says.

Of GS1 element strings only a GTIN in the first place is read (application identifier 01); so are digits alone. Links
(GS1 Digital Link) and other application identifiers are not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.enrichment.product import check_digit, gtin, prefixes, symbology
from services.enrichment.product.prefixes import Prefix

_BLANKS = " \t\r\n"
"""What readers that imitate a keyboard type around the data."""
_FNC1 = "\x1d"
_DIGITS = re.compile(r"[0-9]+")
_IN_BRACKETS = re.compile(r"\(01\)([0-9]{14})(?![0-9])")
_ELEMENT_STRING = re.compile(r"01([0-9]{14})")
_ADD_ON = "]E3"
_WITH_ADD_ON = re.compile(r"([0-9]{13})(?:[0-9]{2}|[0-9]{5})")


@dataclass(frozen=True, slots=True)
class Product:
    """What a barcode says about a product."""

    gtin: str = ""
    """14 digits; empty if it holds none, or one whose check digit is wrong."""
    form: str = ""
    """The form the GTIN was read in, its check digit right or wrong."""
    check_digit_valid: bool = False
    """False also where no check digit was read."""
    symbology: str = ""
    prefix: Prefix = prefixes.NONE


def parse(data: str, symbology_identifier: str = "", told: str = "") -> Product:
    """Read a barcode.

    Args:
        data: as decoded; blanks around it are not looked at. An identifier before it counts if none is given apart.
        symbology_identifier: what the reader sent for it, such as `]E0`, or empty.
        told: the form that the reader says it has read (`gtin_8` … `upc_e`), any other word, or empty.
    """
    identifier, content = symbology_identifier, data.strip(_BLANKS)
    if not identifier:
        identifier, content = symbology.split(content)
    identifier = identifier[:3]
    read = gtin.read(_digits(content, identifier), told, identifier)
    return _product(read, symbology.name(identifier))


def _digits(content: str, identifier: str) -> str:
    """Answer the digits that may be a GTIN; empty if there are none."""
    if in_brackets := _IN_BRACKETS.match(content):
        return in_brackets[1]
    if element := _element_string(content, identifier):
        return element[1]
    if identifier == _ADD_ON and (product := _WITH_ADD_ON.fullmatch(content)):
        return product[1]
    return content if _DIGITS.fullmatch(content) else ""


def _element_string(content: str, identifier: str) -> re.Match[str] | None:
    """Match a GTIN at the begin of an element string.

    FNC1 at the begin, or a symbology that stands for it, says that it is one. Where a reader tells neither, 16 digits
    that begin with 01 are taken for one only if nothing follows and the check digit fits.
    """
    if content.startswith(_FNC1) or identifier in symbology.ELEMENT_STRINGS:
        return _ELEMENT_STRING.match(content.removeprefix(_FNC1))
    untold = None if identifier else _ELEMENT_STRING.fullmatch(content)
    return untold if untold and check_digit.fits(untold[1]) else None


def _product(read: gtin.Reading | None, symbology_name: str) -> Product:
    if read is None:
        return Product(symbology=symbology_name)
    if read.check_digit is False:
        return Product(form=read.form, symbology=symbology_name)
    return Product(
        gtin=read.number,
        form=read.form,
        check_digit_valid=read.check_digit is True,
        symbology=symbology_name,
        prefix=prefixes.of(read.number),
    )

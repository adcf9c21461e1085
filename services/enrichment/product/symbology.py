"""Symbology identifiers (ISO/IEC 15424): `]`, a letter for the symbology, and a modifier.

Modifiers tell how a reader was set up; only those that tell another symbology apart matter here.
"""

from __future__ import annotations

import re

_IDENTIFIER = re.compile(r"\][A-Za-z][0-9A-Za-z]")

_BY_LETTER = {
    "A": "code_39",
    "B": "telepen",
    "C": "code_128",
    "D": "code_one",
    "E": "ean_13",
    "F": "codabar",
    "G": "code_93",
    "H": "code_11",
    "I": "itf",
    "J": "dotcode",
    "K": "code_16k",
    "L": "pdf417",
    "M": "msi",
    "N": "anker",
    "O": "codablock",
    "P": "plessey",
    "Q": "qr_code",
    "R": "straight_2_of_5_two_bar",
    "S": "straight_2_of_5_three_bar",
    "T": "code_49",
    "U": "maxicode",
    "X": "other",
    "Y": "system_expansion",
    "Z": "non_barcode",
    "c": "channel_code",
    "d": "data_matrix",
    "e": "gs1_databar",
    "g": "grid_matrix",
    "h": "han_xin",
    "o": "ocr",
    "p": "posicode",
    "s": "supercode",
    "z": "aztec_code",
}
_BY_IDENTIFIER = {
    "]C1": "gs1_128",
    "]E1": "ean_two_digit_add_on",
    "]E2": "ean_five_digit_add_on",
    "]E3": "ean_13_with_add_on",
    "]E4": "ean_8",
    "]J1": "gs1_dotcode",
    "]Q3": "gs1_qr_code",
    "]d2": "gs1_datamatrix",
    "]e1": "gs1_composite",
    "]e2": "gs1_composite",
    "]e3": "gs1_composite",
}
ELEMENT_STRINGS = frozenset({"]C1", "]J1", "]Q3", "]d2", "]e0", "]e1", "]e2"})
"""Before data that is made of GS1 application identifiers and what they say."""


def name(identifier: str) -> str:
    """Answer the symbology's name, lower_snake; empty for an identifier that is none."""
    if not _IDENTIFIER.match(identifier):
        return ""
    return _BY_IDENTIFIER.get(identifier[:3]) or _BY_LETTER.get(identifier[1], "")


def split(data: str) -> tuple[str, str]:
    """Part data that a reader sent with the identifier before it; the identifier is empty where there is none."""
    return (data[:3], data[3:]) if name(data) else ("", data)

"""GS1 prefixes: which organisation gave a number out, or what its range is for where none did.

As GS1's list stood in 2025. Ranges that are in neither table are not given to anybody yet. A prefix tells where a
company bought its numbers, not where a product was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prefix:
    """What a prefix stands for: a country, a use, or nothing known."""

    country: str = ""
    """ISO 3166-1 alpha-2; of two countries that share an organisation, the larger. XK, for Kosovo, is in use and not
    part of the standard."""
    use: str = ""
    """What the range is for where it names no country, lower_snake."""


NONE = Prefix()
"""Stands for prefixes that are not given to anybody yet."""

# 050-059 is kept by GS1 US for later; 960 to 969 are for GTIN-8 only.
_COUNTRIES = """
US 000-019 030-039 050-139   FR 300-379   BG 380   SI 383   HR 385   BA 387   ME 389   XK 390   DE 400-440
JP 450-459 490-499   RU 460-469   KG 470   TW 471   EE 474   LV 475   AZ 476   LT 477   UZ 478   LK 479
PH 480   BY 481   UA 482   TM 483   MD 484   AM 485   GE 486   KZ 487   TJ 488   HK 489
GB 500-509 960-961 9620-9624   GR 520-521   LB 528   CY 529   AL 530   MK 531   MT 535   IE 539   BE 540-549
PT 560   IS 569   DK 570-579   PL 590 9625-9626   RO 594   HU 599
ZA 600-601   GH 603   SN 604   UG 605   AO 606   OM 607   BH 608   MU 609   MA 611   SO 612   DZ 613
NG 615   KE 616   CM 617   CI 618   TN 619   TZ 620   SY 621   EG 622   LY 624   JO 625   IR 626   KW 627
SA 628   AE 629   QA 630   NA 631   RW 632   FI 640-649   CN 680-681 690-699
NO 700-709   IL 729   SE 730-739   GT 740   SV 741   HN 742   NI 743   CR 744   PA 745   DO 746
MX 750   CA 754-755   VE 759   CH 760-769   CO 770-771   UY 773   PE 775   BO 777   AR 778-779
CL 780   PY 784   EC 786   BR 789-790
IT 800-839   ES 840-849   CU 850   SK 858   CZ 859   RS 860   MN 865   KP 867   TR 868-869   NL 870-879
KR 880-881   MM 883   KH 884   TH 885   SG 888   IN 890   VN 893   BD 894   PK 896   ID 899
AT 900-919   AU 930-939   NZ 940-949   MY 955   MO 958
"""

_USES = """
restricted_distribution 020-029 040-049 200-299
global_office 623 950 9627-9629 963-969
epc_general_identifier 951
demonstrations 952
issn 977
isbn 978 9791-9799
ismn 9790
refund_receipts 980
coupons 981-984 990-999
"""

_RESTRICTED = Prefix(use="restricted_distribution")
_GTIN_8_LAST = "969"


def of(gtin: str) -> Prefix:
    """Answer what the prefix of a GTIN of 14 digits stands for.

    Behind the first digit, which counts packages, five zeros mean that the number is a GTIN-8: those have prefixes
    of their own.
    """
    if gtin[1:6] == "00000":
        return of_gtin_8(gtin[6:])
    return of_gtin_13(gtin[1:])


def of_gtin_13(number: str) -> Prefix:
    """Answer what the prefix of a number of 13 digits stands for, or of as many of its first digits as are known."""
    return _BY_PREFIX.get(number[:4]) or _BY_PREFIX.get(number[:3], NONE)


def of_gtin_8(number: str) -> Prefix:
    """Answer what the prefix of a GTIN-8 stands for; those that begin with 0 are a company's own."""
    if len(number) < 3 or number[:3] > _GTIN_8_LAST:
        return NONE
    return _RESTRICTED if number.startswith("0") else of_gtin_13(number)


def _by_prefix() -> Mapping[str, Prefix]:
    countries = {prefix: Prefix(country=name) for name, prefix in _listed(_COUNTRIES)}
    uses = {prefix: Prefix(use=name) for name, prefix in _listed(_USES)}
    return {**countries, **uses}


def _listed(table: str) -> Iterator[tuple[str, str]]:
    """Yield the name and each prefix of its ranges."""
    name = ""
    for word in table.split():
        first, _, last = word.partition("-")
        if not first.isdecimal():
            name = word
            continue
        for prefix in range(int(first), int(last or first) + 1):
            yield name, str(prefix).zfill(len(first))


_BY_PREFIX = _by_prefix()

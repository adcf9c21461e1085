from __future__ import annotations

import re

import pytest

from services.enrichment.product import prefixes
from services.enrichment.product.prefixes import Prefix


@pytest.mark.parametrize(
    ("gtin", "country"),
    [
        ("00036000291452", "US"),
        ("04006381333931", "DE"),
        ("04402000000000", "DE"),
        ("05901234123457", "PL"),
        ("07038010021459", "NO"),
        ("08712345000000", "NL"),
        ("03901234000000", "XK"),
        ("06801234000000", "CN"),
        ("15901234123454", "PL"),  # the first digit counts packages
        ("00000040170725", "DE"),  # a GTIN-8
        ("10000040170722", "DE"),  # a package of it
        ("00000096241234", "GB"),
        ("00000096251234", "PL"),
    ],
)
def test_a_number_tells_the_country_of_its_organisation(gtin, country):
    assert prefixes.of(gtin) == Prefix(country=country)


@pytest.mark.parametrize(
    ("gtin", "use"),
    [
        ("00200000000000", "restricted_distribution"),
        ("02012345000000", "restricted_distribution"),
        ("00400000000000", "restricted_distribution"),
        ("09501101530003", "global_office"),
        ("09520000000000", "demonstrations"),
        ("09771234567898", "issn"),
        ("09781492053743", "isbn"),
        ("09791234567896", "isbn"),
        ("09790060115615", "ismn"),
        ("09800000000000", "refund_receipts"),
        ("09810000000000", "coupons"),
        ("09900000000000", "coupons"),
        ("00000000000017", "restricted_distribution"),  # GTIN-8 that begin with 0 are a company's own
        ("00000007038013", "restricted_distribution"),
        ("00000096385074", "global_office"),
    ],
)
def test_a_range_that_names_no_country_tells_its_use(gtin, use):
    assert prefixes.of(gtin) == Prefix(use=use)


@pytest.mark.parametrize(
    "gtin", ["01400000000000", "03810000000000", "09700000000000", "00000097700000", "00000014012345"]
)
def test_a_prefix_that_nobody_has_says_nothing(gtin):
    assert prefixes.of(gtin) == prefixes.NONE


def test_no_prefix_stands_for_two_things():
    listed = [*prefixes._listed(prefixes._COUNTRIES), *prefixes._listed(prefixes._USES)]
    assert len({prefix for _, prefix in listed}) == len(listed)


def test_countries_are_written_as_iso_3166_does():
    countries = {name for name, _ in prefixes._listed(prefixes._COUNTRIES)}
    assert all(len(name) == 2 and name.isupper() for name in countries)


def test_uses_are_open_names():
    uses = {name for name, _ in prefixes._listed(prefixes._USES)}
    assert all(re.fullmatch(r"[a-z][a-z_]*", use) for use in uses)

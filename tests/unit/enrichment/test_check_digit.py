from __future__ import annotations

import pytest

from services.enrichment.product import check_digit


@pytest.mark.parametrize(
    ("payload", "expected"),
    [("400638133393", 1), ("9638507", 4), ("03600029145", 2), ("1540014128876", 3), ("0", 0)],
)
def test_the_check_digit_is_that_of_the_standard(payload, expected):
    assert check_digit.of(payload) == expected


@pytest.mark.parametrize("position", range(13))
def test_every_wrong_digit_is_found(position):
    number = "4006381333931"
    wrong = number[:position] + str((int(number[position]) + 1) % 10) + number[position + 1 :]
    assert check_digit.fits(number)
    assert not check_digit.fits(wrong)

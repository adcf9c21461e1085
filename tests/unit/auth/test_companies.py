from __future__ import annotations

import pytest

from services.auth import companies


@pytest.mark.parametrize("text", ["", "-1", "1.0", "٣", "2147483648", "9" * 5000])
def test_what_cannot_be_a_company_is_no_id(text):
    assert companies.read_id(text) is None


@pytest.mark.parametrize("text", ["1", "2147483647"])
def test_an_id_is_read(text):
    assert companies.read_id(text) == int(text)

from __future__ import annotations

import re
from uuid import UUID

import pytest

from services.auth import keys
from services.auth.keys import KeyMalformed, Keyring

KEYRING = Keyring(b"p" * 32)
ID = UUID("c553ba75-d838-4b70-ab79-09d861eaa5b9")


def test_a_key_names_its_company_and_is_random():
    made = {KEYRING.mint(12).text for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"kmp_scanner_12_[0-9a-f-]{36}", text) for text in made)


def test_a_key_is_read_as_it_was_made():
    made = KEYRING.mint(12)
    assert KEYRING.read(made.text) == made


def test_a_digest_depends_on_key_and_pepper():
    text = KEYRING.mint(12).text
    assert KEYRING.read(text).digest != Keyring(b"q" * 32).read(text).digest
    assert KEYRING.read(text).digest != KEYRING.mint(12).digest


def test_neither_key_nor_digest_is_shown():
    made = KEYRING.mint(12)
    assert made.text not in repr(made)
    assert made.digest.hex() not in repr(made)
    assert repr(made.digest) not in repr(made)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kmp_scanner_12",
        f"kmp_scanner_0_{ID}",
        f"kmp_scanner_012_{ID}",
        f"kmp_scanner_-1_{ID}",
        f"kmp_scanner_2147483648_{ID}",
        f"kmp_scanner_٣_{ID}",
        f"kmp_scanner_12_{ID}\n",
        f" kmp_scanner_12_{ID}",
        f"kmp_scanner_12_{ID.hex}",
        f"KMP_SCANNER_12_{ID}",
        "kmp_scanner_12_00000000-0000-0000-0000-000000000000",
        f"kmp_scanner_12_{str(ID).upper()}A",
    ],
)
def test_what_is_not_of_the_form_is_refused_without_a_look_up(text):
    with pytest.raises(KeyMalformed):
        KEYRING.read(text)


async def test_a_sealed_key_is_proven_by_the_key_alone():
    made = KEYRING.mint(12)
    sealed = await keys.seal(made)
    assert made.text not in repr(sealed)
    assert await keys.matches(made, sealed.slow_hash)
    assert not await keys.matches(KEYRING.mint(12), sealed.slow_hash)

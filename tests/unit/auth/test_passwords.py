from __future__ import annotations

import asyncio

import pytest

from services.auth.passwords import Passwords, TooManySignIns
from services.chassis.errors import Reason


@pytest.fixture
def passwords():
    with Passwords(cost=4) as made:
        yield made


async def test_a_password_is_proven_by_its_hash(passwords):
    hashed = await passwords.hash("correct horse battery")
    assert "correct" not in hashed
    assert await passwords.matches("correct horse battery", hashed)
    assert not await passwords.matches("correct horse batterz", hashed)


@pytest.mark.parametrize("password", ["", "\0", "x" * 73, "ü" * 200])
async def test_any_password_can_be_tried(passwords, password):
    assert not await passwords.matches(password, await passwords.hash("x" * 72))


async def test_a_longer_password_is_not_its_beginning(passwords):
    assert not await passwords.matches("x" * 73, await passwords.hash("x" * 72))


async def test_nobodys_password_is_checked_like_anybodys(passwords):
    for password in ("", "correct horse battery"):
        assert not await passwords.matches(password, None)


async def test_a_flood_of_sign_ins_is_refused_with_a_delay(passwords):
    hashed = await passwords.hash("correct horse battery")
    tries = [passwords.matches("correct horse battery", hashed) for _ in range(64)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, TooManySignIns)]
    assert outcomes.count(True) == 16
    assert len(refused) == 48
    assert refused[0].reason is Reason.OVERLOADED
    assert refused[0].retry_delay is not None
    assert await passwords.matches("correct horse battery", hashed)


async def test_a_hash_takes_as_long_as_the_cost_says():
    with Passwords() as real:
        assert (await real.hash("x")).startswith("$2b$12$")

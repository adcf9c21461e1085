from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.auth.sessions import GRACE, RefreshTokenInvalid, RefreshTokens, Session, Verdict, judge
from services.chassis.ids import uuid7

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TOKENS = RefreshTokens(b"p" * 32)


@pytest.fixture
def session():
    return Session(7, uuid7(), uuid7(), b"s" * 32, 3, NOW, NOW + timedelta(days=30))


def test_a_token_is_read_and_proven(session):
    token = TOKENS.read(TOKENS.write(session))
    assert (token.company_id, token.session_id, token.generation) == (7, session.session_id, 3)
    TOKENS.verify(token, session)


def test_a_token_shows_nothing_of_itself(session):
    token = TOKENS.read(TOKENS.write(session))
    assert token.text not in repr(token)
    assert "ssss" not in repr(session)


@pytest.mark.parametrize(
    "change",
    [{"seed": b"t" * 32}, {"company_id": 8}, {"session_id": uuid7()}],
    ids=["seed", "company", "session"],
)
def test_a_token_is_its_own_sessions_only(session, change):
    token = TOKENS.read(TOKENS.write(session))
    with pytest.raises(RefreshTokenInvalid):
        TOKENS.verify(token, replace(session, **change))


def test_a_token_is_worth_nothing_under_another_pepper(session):
    token = TOKENS.read(TOKENS.write(session))
    with pytest.raises(RefreshTokenInvalid):
        RefreshTokens(b"q" * 32).verify(token, session)


def test_a_generation_cannot_be_counted_on(session):
    text = TOKENS.write(session).replace("_3_", "_4_")
    with pytest.raises(RefreshTokenInvalid):
        TOKENS.verify(TOKENS.read(text), session)


@pytest.mark.parametrize(
    "text", ["", "kmr_", "kmr_7_x_1_", "kmr_99999999999_0193a7c5-0000-7000-8000-00000000abcd_1_" + "A" * 43]
)
def test_what_is_not_of_the_form_is_refused(text):
    with pytest.raises(RefreshTokenInvalid):
        TOKENS.read(text)


@pytest.mark.parametrize(
    ("generation", "after", "verdict"),
    [
        (3, timedelta(), Verdict.RENEW),
        (3, timedelta(days=29), Verdict.RENEW),
        (2, timedelta(), Verdict.REPEAT),
        (2, GRACE - timedelta(seconds=1), Verdict.REPEAT),
        (2, GRACE, Verdict.END),
        (1, timedelta(), Verdict.END),
    ],
)
def test_what_a_token_does_depends_on_its_generation(session, generation, after, verdict):
    assert judge(session, generation, NOW + after) is verdict

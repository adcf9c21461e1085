from __future__ import annotations

import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.auth import tokens
from services.auth.sessions import Session
from services.auth.tokens import AccessTokens, SigningKeyUnknown, published_keys
from services.chassis.errors import Reason, Unauthenticated
from services.chassis.identity import Identity, Role, Signer, Verifier
from services.chassis.ids import uuid7

SIGNER = Signer(Ed25519PrivateKey.generate())


@pytest.fixture
def access():
    return AccessTokens(SIGNER, Verifier.from_jwks(SIGNER.jwks()))


@pytest.fixture
def session(clock):
    return Session(7, uuid7(), uuid7(), b"", 1, clock(), clock() + timedelta(days=30))


def test_a_token_says_whose_session_it_is_of(access, session, clock):
    text, expires = access.mint(session, clock())
    read = access.read(text, clock())
    assert (read.company_id, read.user_id, read.session_id) == (7, str(session.user_id), session.session_id)
    assert read.expire_time == expires
    assert timedelta() <= clock() + tokens.LIFETIME - expires < timedelta(seconds=1)


def test_a_token_expires_however_often_it_was_read(access, session, clock):
    text, _ = access.mint(session, clock())
    access.read(text, clock())
    clock.advance(tokens.LIFETIME)
    for _ in range(2):
        with pytest.raises(Unauthenticated) as refused:
            access.read(text, clock())
        assert refused.value.reason is Reason.TOKEN_EXPIRED


def test_an_identity_token_is_no_access_token(access, clock):
    identity = Identity(7, "user", Role.ADMIN, "standard", "local", session_id=str(uuid7()))
    with pytest.raises(Unauthenticated):
        access.read(SIGNER.sign(identity, clock()), clock())


def test_an_access_token_is_no_identity_token(access, session, clock):
    text, _ = access.mint(session, clock())
    with pytest.raises(Unauthenticated):
        Verifier.from_jwks(SIGNER.jwks()).verify(text, clock())


def test_anothers_token_is_refused(session, access, clock):
    stranger = Signer(Ed25519PrivateKey.generate())
    text, _ = AccessTokens(stranger, Verifier.from_jwks(stranger.jwks())).mint(session, clock())
    for forged in (text, "", "a.b.c", "nonsense"):
        with pytest.raises(Unauthenticated):
            access.read(forged, clock())


def test_only_public_members_of_published_keys_are_told(tmp_path):
    path = tmp_path / "jwks.json"
    (key,) = SIGNER.jwks()["keys"]
    path.write_text(json.dumps({"keys": [{**key, "d": "private"}]}))
    assert json.loads(published_keys(path, SIGNER)) == {"keys": [key]}


def test_a_key_that_nobody_could_verify_with_refuses_the_start(tmp_path):
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(Signer(Ed25519PrivateKey.generate()).jwks()))
    with pytest.raises(SigningKeyUnknown):
        published_keys(path, SIGNER)

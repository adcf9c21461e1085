"""Operators' access tokens: JWTs for the edge, good for 15 minutes and no longer than their session.

Signed with the key of the identity tokens, for another audience, so that neither is ever taken for the other. What
an operator may do is not in the token: it is looked up with the session, so a change of role takes effect at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from services.auth.recent import Recent
from services.auth.sessions import RefreshTokens, Session
from services.chassis import identity
from services.chassis.errors import Reason, Unauthenticated
from services.chassis.fields import resource_id
from services.chassis.identity import Signer, Verifier

AUDIENCE = "scanmesh-edge"
LIFETIME = timedelta(minutes=15)
_CACHED = 10_000
_PUBLIC_MEMBERS = ("kty", "crv", "x", "kid", "alg", "use")


class SigningKeyUnknown(Exception):
    """The services could not verify what this key signs: its public half is not among the published ones."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a verified access token says."""

    company_id: int
    user_id: str
    session_id: UUID
    expire_time: datetime


class AccessTokens:
    """Mints access tokens and reads them."""

    def __init__(self, signer: Signer, verifier: Verifier) -> None:
        self._signer = signer
        self._verifier = verifier
        self._verified: Recent[str, AccessToken] = Recent(_CACHED)

    def mint(self, session: Session, now: datetime) -> tuple[str, datetime]:
        """Answer a token of a session, and when it ends."""
        expires = now + LIFETIME
        claims = {
            "iss": identity.ISSUER,
            "aud": AUDIENCE,
            "iat": int(now.timestamp()),
            "exp": int(expires.timestamp()),
            "sub": str(session.user_id),
            "cid": session.company_id,
            "sid": str(session.session_id),
        }
        return self._signer.encode(claims), expires.replace(microsecond=0)

    def read(self, text: str, now: datetime) -> AccessToken:
        """Read a token that was shown.

        Raises:
            Unauthenticated: it is not one of ours, or not for the edge, or it has expired.
        """
        known = self._verified.get(text, now)
        if known is None:
            known = _read(self._verifier.claims(text, AUDIENCE))
            self._verified.put(text, known, known.expire_time)
        if known.expire_time <= now:
            raise Unauthenticated("the access token has expired", reason=Reason.TOKEN_EXPIRED)
        return known


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """Everything a session is given to its operator with."""

    access: AccessTokens
    refresh: RefreshTokens
    jwks: bytes
    """What everybody verifies access tokens with, as `published_keys` answers it."""


def _read(claims: Mapping[str, Any]) -> AccessToken:
    session_id = resource_id(claims["sid"])
    if session_id is None:
        raise Unauthenticated("the token is not valid here")
    return AccessToken(claims["cid"], claims["sub"], session_id, identity.expiry(claims))


def published_keys(path: Path, signer: Signer) -> bytes:
    """Answer the JWKS that the services verify with, for everybody to read: its public members and no others.

    Raises:
        SigningKeyUnknown: the signer's key is not in it.
    """
    keys = json.loads(path.read_text())["keys"]
    if signer.key_id not in {key.get("kid") for key in keys}:
        raise SigningKeyUnknown(
            f"{path}: does not hold the public half of AUTH_SIGNING_KEY ({signer.key_id})"
        )
    public = [{name: key[name] for name in _PUBLIC_MEMBERS if name in key} for key in keys]
    return json.dumps({"keys": public}).encode()

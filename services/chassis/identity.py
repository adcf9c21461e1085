"""Who is calling: short-lived tokens signed by `auth` (Ed25519), verified by every service itself.

`auth` answers the edge with a token in `x-scanmesh-identity`; a service trusts the signature, never the header.
The same credential gets the same token for a while, so verification is cached by token and costs a dictionary
look-up. Operators' access tokens are signed with the same keys for another audience, so neither kind is ever
taken for the other.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.chassis.errors import Unauthenticated, Unavailable

METADATA_KEY = "x-scanmesh-identity"
ISSUER = "scanmesh-auth"
SERVICES_AUDIENCE = "scanmesh-services"
PLATFORM = 0
"""The company of platform admins, who belong to none; no company has this id."""
MAX_LIFETIME = timedelta(seconds=60)
_ALGORITHM = "EdDSA"
_CACHED_TOKENS = 20_000


class Role(StrEnum):
    """What a caller may be: a device, or an operator with one of three roles."""

    SCANNER = "scanner"
    VIEWER = "viewer"
    ADMIN = "admin"
    PLATFORM_ADMIN = "platform_admin"


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller, as `auth` vouches for it."""

    company_id: int
    """The caller's company; `PLATFORM` for platform admins."""
    subject: str
    """The scanner's id, or the user's."""
    role: Role
    lane: str
    """The lane of the company's plan: premium or standard; empty if `auth` has not heard of the plan yet."""
    region: str
    key_id: str = ""
    """The API key that was shown; empty for operators with a session."""
    session_id: str = ""
    """The operator's session; empty for scanners."""
    scanner_type: str = ""
    """What kind of device a scanner is, lower_snake; empty for operators, and in tokens of before it was told."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller, and the company on which this request acts: already authorised by the roles table."""

    identity: Identity
    company_id: int


_caller: ContextVar[Caller] = ContextVar("caller")
_token: ContextVar[str] = ContextVar("token")


def caller() -> Caller:
    """Answer who calls the RPC in progress; a LookupError means that the RPC is open to anyone."""
    return _caller.get()


def set_caller(value: Caller) -> None:
    """Make `value` the caller of the RPC in progress; only the interceptors and tests of handlers do this."""
    _caller.set(value)


def caller_token() -> str:
    """Answer the token of the RPC in progress; a LookupError means that the RPC is open to anyone."""
    return _token.get()


def set_caller_token(value: str) -> None:
    """Remember the verified token of the RPC in progress; only the interceptors and tests of handlers do this."""
    _token.set(value)


class Signer:
    """Signs tokens with an Ed25519 key; `key_id` is the key's RFC 7638 thumbprint."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self.private_key = private_key
        self._jwk = _public_jwk(private_key.public_key())
        self.key_id = str(self._jwk["kid"])

    @classmethod
    def from_pem(cls, path: Path) -> Signer:
        """Read a PKCS #8 key, as `openssl genpkey -algorithm ed25519` writes it."""
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{path}: is not an Ed25519 private key")
        return cls(key)

    def sign(self, identity: Identity, now: datetime, lifetime: timedelta = MAX_LIFETIME) -> str:
        """Vouch for `identity` from `now` for `lifetime`, at most a minute."""
        if lifetime > MAX_LIFETIME:
            raise ValueError(f"an identity token lives for {MAX_LIFETIME} at most")
        claims = {
            "iss": ISSUER,
            "aud": SERVICES_AUDIENCE,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
            "sub": identity.subject,
            "cid": identity.company_id,
            "role": identity.role.value,
            "lane": identity.lane,
            "region": identity.region,
            "key": identity.key_id,
            "sid": identity.session_id,
            "type": identity.scanner_type,
        }
        return self.encode(claims)

    def encode(self, claims: Mapping[str, Any]) -> str:
        """Sign any claims; the audience among them says what the token is good for."""
        return jwt.encode(dict(claims), self.private_key, algorithm=_ALGORITHM, headers={"kid": self.key_id})

    def jwks(self) -> dict[str, Any]:
        """Answer the public key as a JSON Web Key Set (RFC 7517)."""
        return {"keys": [self._jwk]}


class Verifier:
    """Verifies identity tokens against auth's public keys; several keys make a rotation possible."""

    def __init__(
        self, keys: Mapping[str, Ed25519PublicKey], *, max_cached_tokens: int = _CACHED_TOKENS
    ) -> None:
        self._keys = dict(keys)
        self._max_cached_tokens = max_cached_tokens
        self._known: OrderedDict[str, tuple[Identity, float]] = OrderedDict()

    @classmethod
    def from_file(cls, path: Path) -> Verifier:
        """Read a JWKS file."""
        return cls.from_jwks(json.loads(path.read_text()))

    @classmethod
    def from_jwks(cls, jwks: Mapping[str, Any]) -> Verifier:
        """Take the Ed25519 keys of a JWKS."""
        return cls({key["kid"]: _load_jwk(key) for key in jwks["keys"] if key.get("crv") == "Ed25519"})

    def verify(self, token: str, now: datetime) -> Identity:
        """Answer whom a token vouches for.

        Raises:
            Unauthenticated: no token, a forged one, or one for another audience.
            Unavailable: it has expired. The caller's credential is as good as it was, only the request took longer to
                arrive than the token lives, or two clocks differ: told 401, a device would give its key up.
        """
        identity, expires = self._known.get(token) or self._remember(token)
        if now.timestamp() >= expires:
            raise Unavailable("the request took too long to arrive; send it again")
        return identity

    def claims(self, token: str, audience: str) -> dict[str, Any]:
        """Answer the claims of a token for `audience`, its signature verified but not its expiry.

        Raises:
            Unauthenticated: the token is not one of ours, or not for this audience.
        """
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            return jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
                audience=audience,
                issuer=ISSUER,
                # The caller compares `exp` with its own clock, cached or not.
                options={"require": ["exp", "iat", "sub", "cid"], "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, KeyError) as error:
            raise Unauthenticated("the token is not valid here") from error

    def _remember(self, token: str) -> tuple[Identity, float]:
        claims = self.claims(token, SERVICES_AUDIENCE)
        try:
            self._known[token] = (_identity(claims), float(claims["exp"]))
        except (KeyError, ValueError, TypeError) as error:
            raise Unauthenticated("the token does not say who is calling") from error
        if len(self._known) > self._max_cached_tokens:
            self._known.popitem(last=False)
        return self._known[token]


def _identity(claims: Mapping[str, Any]) -> Identity:
    return Identity(
        company_id=int(claims["cid"]),
        subject=claims["sub"],
        role=Role(claims["role"]),
        lane=claims["lane"],
        region=claims["region"],
        key_id=claims["key"],
        session_id=claims["sid"],
        scanner_type=claims.get("type", ""),
    )


def expiry(claims: Mapping[str, Any]) -> datetime:
    """Answer when a token with these claims ends."""
    return datetime.fromtimestamp(claims["exp"], UTC)


def _public_jwk(key: Ed25519PublicKey) -> dict[str, Any]:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    required = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True).encode()
    thumbprint = _base64url(hashlib.sha256(canonical).digest())
    return {**required, "kid": thumbprint, "alg": _ALGORITHM, "use": "sig"}


def _load_jwk(jwk: Mapping[str, Any]) -> Ed25519PublicKey:
    raw = base64.urlsafe_b64decode(jwk["x"] + "=" * (-len(jwk["x"]) % 4))
    return Ed25519PublicKey.from_public_bytes(raw)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

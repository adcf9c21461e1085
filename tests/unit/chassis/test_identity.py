from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.chassis import identity
from services.chassis.errors import Reason, Unauthenticated, Unavailable
from services.chassis.identity import Signer, Verifier
from tests.fakes import identities

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TICK = timedelta(seconds=1)

RFC_8037_PRIVATE = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC_8037_PUBLIC = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unpack(part: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token, some of them changed; None takes one away."""
    good = {
        "iss": "scanmesh-auth",
        "aud": "scanmesh-services",
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + MINUTE).timestamp()),
        "sub": identities.SCANNER_ID,
        "cid": 7,
        "role": "scanner",
        "lane": "premium",
        "region": "local",
        "key": "",
        "sid": "",
        "type": "",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def refusal(verifier: Verifier, token: str, now: datetime = NOW) -> Reason:
    with pytest.raises(Unauthenticated) as caught:
        verifier.verify(token, now)
    return caught.value.reason


@pytest.mark.parametrize(
    "known",
    [
        identities.scanner(),
        identities.scanner(lane="standard", region="eu_1", company_id=2**31 - 1, scanner_type="dock"),
        *(identities.operator(role) for role in identity.Role if role is not identity.Role.SCANNER),
    ],
)
def test_a_token_vouches_for_all_of_an_identity(
    signer: Signer, verifier: Verifier, known: identity.Identity
) -> None:
    token = signer.sign(known, NOW)
    assert verifier.verify(token, NOW) == known


def test_a_token_says_what_the_contract_says(signer: Signer) -> None:
    header, body, _ = signer.sign(identities.SCANNER, NOW).split(".")
    assert unpack(header) == {"alg": "EdDSA", "kid": signer.key_id, "typ": "JWT"}
    assert unpack(body) == claims(key=identities.SCANNER.key_id)


def test_a_token_ends_with_its_lifetime_although_it_is_cached(signer: Signer, verifier: Verifier) -> None:
    token = signer.sign(identities.SCANNER, NOW, timedelta(seconds=30))
    first = verifier.verify(token, NOW)
    assert verifier.verify(token, NOW + 29 * TICK) is first  # not verified a second time
    for late in (30 * TICK, timedelta(days=1)):
        with pytest.raises(Unavailable):
            verifier.verify(token, NOW + late)


def test_a_token_that_arrives_expired_is_to_be_sent_again(signer: Signer, verifier: Verifier) -> None:
    """A slow body may outlive it: the device's key is good, so it must not be told 401."""
    token = signer.sign(identities.SCANNER, NOW)
    with pytest.raises(Unavailable) as late:
        verifier.verify(token, NOW + MINUTE)
    assert late.value.retry_delay


def test_nobody_is_vouched_for_longer_than_a_minute(signer: Signer) -> None:
    with pytest.raises(ValueError, match="at most"):
        signer.sign(identities.SCANNER, NOW, MINUTE + TICK)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "….….…", "eyJhbGciOiJFZERTQSJ9.e30.", "null", "." * 100])
def test_what_is_no_token_is_refused(verifier: Verifier, token: str) -> None:
    assert refusal(verifier, token) is Reason.CREDENTIALS_INVALID


def test_a_token_of_another_key_is_refused_under_any_key_id(signer: Signer, verifier: Verifier) -> None:
    other = Signer(Ed25519PrivateKey.generate())
    unknown = other.sign(identities.SCANNER, NOW)
    other.key_id = signer.key_id
    assert refusal(verifier, unknown) is Reason.CREDENTIALS_INVALID
    assert refusal(verifier, other.sign(identities.SCANNER, NOW)) is Reason.CREDENTIALS_INVALID


def test_a_changed_token_is_refused_also_after_the_true_one_was_seen(
    signer: Signer, verifier: Verifier
) -> None:
    token = signer.sign(identities.SCANNER, NOW)
    verifier.verify(token, NOW)
    header, _, signature = token.split(".")
    richer = base64url(json.dumps(claims(cid=8)).encode())
    assert refusal(verifier, f"{header}.{richer}.{signature}") is Reason.CREDENTIALS_INVALID


def test_a_token_for_another_audience_is_refused(signer: Signer, verifier: Verifier) -> None:
    token = signer.encode(claims(aud="scanmesh-edge"))
    assert refusal(verifier, token) is Reason.CREDENTIALS_INVALID
    assert verifier.claims(token, "scanmesh-edge")["cid"] == 7


def test_a_token_of_another_issuer_is_refused(signer: Signer, verifier: Verifier) -> None:
    assert refusal(verifier, signer.encode(claims(iss="somebody"))) is Reason.CREDENTIALS_INVALID


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256"])
@pytest.mark.parametrize("secret", ["raw", "pem"])
def test_the_header_does_not_choose_the_algorithm(
    signer: Signer, verifier: Verifier, algorithm: str, secret: str
) -> None:
    public = signer.private_key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    key = {"raw": public.public_bytes_raw(), "pem": pem}[secret]
    header = base64url(json.dumps({"alg": algorithm, "kid": signer.key_id, "typ": "JWT"}).encode())
    signed = f"{header}.{base64url(json.dumps(claims()).encode())}"
    signature = hmac.new(key, signed.encode(), hashlib.sha256).digest() if algorithm == "HS256" else b""
    assert refusal(verifier, f"{signed}.{base64url(signature)}") is Reason.CREDENTIALS_INVALID


@pytest.mark.parametrize("kid", [None, 7, [], "unknown"])
def test_a_token_without_a_known_key_id_is_refused(signer: Signer, verifier: Verifier, kid: object) -> None:
    body = base64url(json.dumps(claims()).encode())
    header = base64url(json.dumps({"alg": "EdDSA", **({} if kid is None else {"kid": kid})}).encode())
    signature = signer.private_key.sign(f"{header}.{body}".encode())
    assert refusal(verifier, f"{header}.{body}.{base64url(signature)}") is Reason.CREDENTIALS_INVALID


def test_a_token_from_before_types_were_told_vouches_for_all_the_rest(
    signer: Signer, verifier: Verifier
) -> None:
    before = signer.encode(claims(type=None))
    assert verifier.verify(before, NOW) == identities.scanner(key_id="", scanner_type="")


@pytest.mark.parametrize("claim", sorted(claims().keys() - {"type"}))
def test_a_token_that_lacks_a_claim_is_refused(signer: Signer, verifier: Verifier, claim: str) -> None:
    assert refusal(verifier, signer.encode(claims(**{claim: None}))) is Reason.CREDENTIALS_INVALID


@pytest.mark.parametrize("wrong", [{"role": "root"}, {"cid": "seven"}, {"cid": []}, {"exp": "later"}])
def test_a_token_with_a_claim_nobody_understands_is_refused(
    signer: Signer, verifier: Verifier, wrong: dict[str, Any]
) -> None:
    assert refusal(verifier, signer.encode(claims(**wrong))) is Reason.CREDENTIALS_INVALID


def test_only_so_many_tokens_are_cached(signer: Signer) -> None:
    verifier = Verifier({signer.key_id: signer.private_key.public_key()}, max_cached_tokens=2)
    tokens = [signer.sign(identities.scanner(company_id=index), NOW) for index in (1, 2, 3)]
    first, second, third = (verifier.verify(token, NOW) for token in tokens)
    assert verifier.verify(tokens[1], NOW) is second
    assert verifier.verify(tokens[2], NOW) is third
    assert verifier.verify(tokens[0], NOW) is not first
    assert verifier.verify(tokens[0], NOW) == first


def test_a_refused_token_is_not_cached(signer: Signer) -> None:
    verifier = Verifier({signer.key_id: signer.private_key.public_key()}, max_cached_tokens=1)
    token = signer.sign(identities.SCANNER, NOW)
    known = verifier.verify(token, NOW)
    refusal(verifier, token + "x")
    assert verifier.verify(token, NOW) is known


def test_the_key_of_rfc_8037_has_the_thumbprint_the_rfc_computes() -> None:
    seed = base64.urlsafe_b64decode(RFC_8037_PRIVATE + "=")
    (jwk,) = Signer(Ed25519PrivateKey.from_private_bytes(seed)).jwks()["keys"]
    assert jwk == {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": RFC_8037_PUBLIC,
        "kid": RFC_8037_THUMBPRINT,
        "alg": "EdDSA",
        "use": "sig",
    }


def test_keys_can_be_rotated(signer: Signer, tmp_path: Path) -> None:
    old = Signer(Ed25519PrivateKey.generate())
    foreign = {"kty": "EC", "crv": "P-256", "kid": "p", "x": "AA", "y": "AA"}
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [*signer.jwks()["keys"], *old.jwks()["keys"], foreign]}))
    verifier = Verifier.from_file(file)
    assert verifier.verify(old.sign(identities.SCANNER, NOW), NOW) == identities.SCANNER
    assert verifier.verify(signer.sign(identities.SCANNER, NOW), NOW) == identities.SCANNER


def test_a_signer_reads_the_key_that_openssl_writes(signer: Signer, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(_pem(signer.private_key))
    assert Signer.from_pem(file).key_id == signer.key_id
    file.write_bytes(_pem(generate_private_key(SECP256R1())))
    with pytest.raises(TypeError, match="Ed25519"):
        Signer.from_pem(file)


def _pem(key: Any) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

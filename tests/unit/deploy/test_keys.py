from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from deploy.local import keys
from deploy.local.home import Home
from services.chassis.identity import Signer

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    home.create()
    keys.make(home, NOW)
    return home


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_ca_vouches_for_the_edge_under_its_loopback_names(home: Home, name: str) -> None:
    leaf, _ = x509.load_pem_x509_certificates(home.certificate.read_bytes())
    ca = x509.load_pem_x509_certificate(home.ca.read_bytes())
    subject = x509.DNSName(name) if name == "localhost" else x509.IPAddress(ip_address(name))
    PolicyBuilder().store(Store([ca])).time(NOW).build_server_verifier(subject).verify(leaf, [])


def test_jwks_is_the_public_half_of_the_signing_key(home: Home) -> None:
    assert json.loads(home.jwks.read_text()) == Signer.from_pem(home.signing_key).jwks()
    assert "d" not in json.loads(home.jwks.read_text())["keys"][0]

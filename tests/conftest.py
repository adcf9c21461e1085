"""What all tests share: the event loop of production, and keys with which identities are signed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.chassis.identity import Signer, Verifier


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests on the event loop that the services run on; it fails in ways of its own when connections break."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def signer() -> Signer:
    """Auth's key, as far as the services under test know."""
    return Signer(Ed25519PrivateKey.generate())


@pytest.fixture
def verifier(signer: Signer) -> Verifier:
    """A verifier that knows the key of `signer` and has seen no token yet."""
    return Verifier.from_jwks(signer.jwks())

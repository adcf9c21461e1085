from __future__ import annotations

import pytest

from services.auth.credentials import Credential
from services.chassis.identity import Role
from tests.fakes.auth import SettableClock


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def credential() -> Credential:
    return Credential(
        company_id=7,
        credential_id="key-1",
        holder_id="scanner-1",
        role=Role.SCANNER,
        scanner_type="dock",
        region="local",
        company_active=True,
        holder_active=True,
        allowed_cidrs=(),
        expire_time=None,
        company_revision=10,
        holder_revision=20,
        revision=30,
    )

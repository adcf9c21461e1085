from __future__ import annotations

import pytest

from services.billing.settings import LedgerSettings, Settings, VerifySettings
from services.chassis.settings import MigrateSettings, SettingsError, load

ENVIRONMENT = {
    "BILLING_IDENTITY_JWKS": "/keys/jwks.json",
    "BILLING_DATABASE_URL": "postgresql+asyncpg://billing_app:hush-hush@db/scanmesh",
    "BILLING_NATS_URL": "nats://billing:hush-hush@nats",
    "BILLING_AUTH_TARGETS": "auth-1:7001, auth-2:7001",
}


def read(cls, **changes):
    known = [Settings, LedgerSettings, VerifySettings, MigrateSettings]
    return load(cls, prefix="BILLING_", environ={**ENVIRONMENT, **changes}, known=known)


def test_settings_are_read_and_show_no_secret():
    settings = read(Settings)
    assert settings.auth_targets == ("auth-1:7001", "auth-2:7001")
    assert "hush" not in repr(settings)


@pytest.mark.parametrize("cls", [LedgerSettings, VerifySettings])
def test_the_other_processes_start_in_the_environment_of_serve(cls):
    assert "billing_app" in read(cls).database_url.reveal()


def test_an_unknown_variable_refuses_the_start():
    with pytest.raises(SettingsError, match="BILLING_AUTH_TARGET:"):
        read(Settings, BILLING_AUTH_TARGET="x")

from __future__ import annotations

import pytest

from services.auth.settings import BootstrapSettings, Settings
from services.chassis.settings import MigrateSettings, SettingsError, load

ENVIRONMENT = {
    "AUTH_LISTEN": "127.0.0.1:7001",
    "AUTH_IDENTITY_JWKS": "/keys/jwks.json",
    "AUTH_DATABASE_URL": "postgresql+asyncpg://auth_app:hush-hush@db/scanmesh",
    "AUTH_VALKEY_URL": "redis://auth:hush-hush@valkey/0",
    "AUTH_NATS_URL": "nats://auth:hush-hush@nats",
    "AUTH_SIGNING_KEY": "/keys/key.pem",
    "AUTH_KEY_PEPPER": "p" * 32,
}


def read(**changes):
    return load(
        Settings,
        prefix="AUTH_",
        environ={**ENVIRONMENT, **changes},
        known=[MigrateSettings, BootstrapSettings],
    )


def test_settings_are_read_and_show_no_secret():
    settings = read()
    assert settings.region == "local"
    assert "hush" not in repr(settings)
    assert "pppp" not in repr(settings)


def test_a_short_pepper_refuses_the_start():
    with pytest.raises(SettingsError, match="AUTH_KEY_PEPPER") as refused:
        read(AUTH_KEY_PEPPER="p" * 31)
    assert "pppp" not in str(refused.value)


def test_an_unknown_variable_refuses_the_start():
    with pytest.raises(SettingsError, match="AUTH_KEY_PEPER"):
        read(AUTH_KEY_PEPER="x")

from __future__ import annotations

from services.chassis.settings import load
from services.ratelimit.settings import MigrateSettings, Settings

ENVIRONMENT = {
    "RATELIMIT_DATABASE_URL": "postgresql+asyncpg://ratelimit_app:x@127.0.0.1:1/scanmesh",
    "RATELIMIT_VALKEY_URL": "redis://ratelimit:x@127.0.0.1:1/0",
    "RATELIMIT_NATS_URL": "nats://ratelimit:x@127.0.0.1:1",
    "RATELIMIT_BILLING_TARGETS": "127.0.0.1:1, 127.0.0.1:2",
    "RATELIMIT_AUTH_TARGETS": "127.0.0.1:3",
    "RATELIMIT_IDENTITY_JWKS": "jwks.json",
}


def test_settings_are_read_and_show_no_password():
    settings = load(Settings, prefix="RATELIMIT_", environ=ENVIRONMENT, known=[MigrateSettings])
    assert settings.billing_targets == ("127.0.0.1:1", "127.0.0.1:2")
    assert ":x@" not in repr(settings)

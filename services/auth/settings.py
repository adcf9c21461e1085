"""What auth's processes are told by their environment (`AUTH_*`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.chassis.settings import Secret, ServerSettings, SettingsError

_MIN_PEPPER = 32


@dataclass(frozen=True, kw_only=True)
class Settings(ServerSettings):
    """The settings of `serve`."""

    database_url: Secret
    """PostgreSQL as the role `auth_app`: postgresql+asyncpg://auth_app:<password>@<host>:<port>/<database>."""
    valkey_url: Secret
    """Valkey as the user `auth`: redis://auth:<password>@<host>:<port>/0."""
    nats_url: Secret
    """NATS as the user `auth`: nats://auth:<password>@<host>:<port>, several separated by commas."""
    signing_key: Path
    """File with the Ed25519 key that signs all tokens (`openssl genpkey -algorithm ed25519`); its public half must
    be in `AUTH_IDENTITY_JWKS`."""
    key_pepper: Secret
    """Secret that API keys and refresh tokens are hashed with, at least 32 characters (`openssl rand -hex 32`).
    Whoever changes it makes every key and session worthless."""
    check_listen: str = "127.0.0.1:0"
    """Address of the port on which the edge asks about requests, host:port; port 0 picks a free one."""
    region: str = "local"
    """The region of this mesh, lower_snake: that of companies which name none."""

    def __post_init__(self) -> None:
        if len(self.key_pepper.reveal()) < _MIN_PEPPER:
            raise SettingsError(f"AUTH_KEY_PEPPER: must have at least {_MIN_PEPPER} characters")


@dataclass(frozen=True, kw_only=True)
class BootstrapSettings:
    """The settings of `bootstrap`."""

    database_url: Secret
    """As for `serve`."""
    platform_admin_email: str
    """The email of the first platform admin."""
    platform_admin_password: Secret
    """Its password, 12 to 72 bytes. Read only if there is no platform admin yet."""

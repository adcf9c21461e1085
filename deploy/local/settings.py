"""What the caller may choose about a local mesh: the `SCANMESH_*` variables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.chassis import settings
from services.chassis.settings import SettingsError

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: where `services`, `gateway` and `build` lie."""
_PREFIX = "SCANMESH_"
_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One mesh, as its caller wants it."""

    home: Path = ROOT / ".scanmesh"
    """Folder that holds all of its state; made with mode 700."""
    port: int = 8080
    """Loopback port of the edge for HTTP/1.1 and h2c; TLS is on the next. 0 picks a free pair and keeps it."""
    edge_limit: int = 0
    """Requests a minute and client address on public routes and denied calls; 0 = no limit."""
    replicas: int = 1
    """How many processes of each service are started."""

    def __post_init__(self) -> None:
        """Refuse what no mesh can have."""
        object.__setattr__(self, "home", self.home.absolute())
        problems = [
            *([] if 0 <= self.port < _LAST_PORT else [f"{_PREFIX}PORT: must be from 0 to {_LAST_PORT - 1}"]),
            *([] if self.edge_limit >= 0 else [f"{_PREFIX}EDGE_LIMIT: must not be negative"]),
            *([] if self.replicas >= 1 else [f"{_PREFIX}REPLICAS: must be at least 1"]),
        ]
        if problems:
            raise SettingsError("\n".join(problems))

    def replica_names(self, service: str) -> list[str]:
        """Answer the part names of a service's replicas: `auth`, or `auth-1` and `auth-2` where there are two."""
        if self.replicas == 1:
            return [service]
        return [f"{service}-{number}" for number in range(1, self.replicas + 1)]

    def environ(self) -> dict[str, str]:
        """Answer the variables from which `load` makes these settings again."""
        return {_variable(field.name): str(getattr(self, field.name)) for field in dataclasses.fields(self)}


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings; other `SCANMESH_*` variables belong to tests and benches and are not looked at.

    Raises:
        SettingsError: a value cannot be read or is out of its range; all such values are named.
    """
    names = [_variable(field.name) for field in dataclasses.fields(Settings)]
    own = {name: environ[name] for name in names if name in environ}
    return settings.load(Settings, prefix=_PREFIX, environ=own)


def _variable(field: str) -> str:
    return _PREFIX + field.upper()

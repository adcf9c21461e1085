"""One mesh on this machine: everything a part's description is made from."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.home import Home
from deploy.local.passwords import Passwords
from deploy.local.settings import Settings


@dataclass(frozen=True, slots=True)
class Site:
    """Where a mesh lives, what it was asked to be, and its ports and passwords."""

    settings: Settings
    home: Home
    passwords: Passwords
    ports: Mapping[str, int]
    """By name, `<part>` or `<part>.<purpose>`."""

    @property
    def python(self) -> str:
        """The interpreter of the venv that runs the mesh runs the services as well."""
        return sys.executable

    def replicas(self, service: str) -> list[str]:
        """Answer the part names of a service's replicas."""
        return self.settings.replica_names(service)

    def etc(self, name: str) -> Path:
        """Answer the path of a rendered configuration file."""
        return self.home.etc / name


def minimal_environment() -> dict[str, str]:
    """Answer what every child gets: nothing of the caller's, a fixed locale and UTC."""
    bin_folder = str(Path(sys.executable).parent)
    return {"PATH": f"{bin_folder}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}

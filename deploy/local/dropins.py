"""Extra environment for single parts: `env/<part or process>.json` in the home, read whenever such a part is started.

An operator turns a log level up with it without touching the mesh, and a test plants what shall go wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from deploy.local.home import Home, write_private


class UnreadableDropIn(OSError):
    """It holds something else than a JSON object of strings: the part cannot be started."""


def write(home: Home, name: str, environment: Mapping[str, str]) -> None:
    """Set the extra environment of a part, or of all replicas of a process, from its next start on."""
    write_private(home.drop_in(name), json.dumps(dict(environment), indent=1) + "\n")


def read(home: Home, *names: str) -> dict[str, str]:
    """Answer the extra environment of all `names` together; of a variable that is set twice the last value counts.

    Raises:
        UnreadableDropIn: a file cannot be understood.
    """
    return {variable: value for name in names for variable, value in _read(home, name).items()}


def _read(home: Home, name: str) -> Mapping[str, str]:
    path = home.drop_in(name)
    try:
        environment = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UnreadableDropIn(f"{path}: {error}") from error
    if not _is_environment(environment):
        raise UnreadableDropIn(f"{path} must hold a JSON object of strings")
    return dict(environment)


def _is_environment(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())

"""Settings from the environment: one frozen dataclass per service, read once, every problem told at once.

A field `database_url` of the service `auth` is the variable `AUTH_DATABASE_URL`. A variable with the service's
prefix that no field reads refuses the start: it is a typing error or a leftover, and both surprise later.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class SettingsError(Exception):
    """Says everything that is wrong with the environment, one problem a line."""


class Secret:
    """A string that shows itself only on request: never in a repr, a log or a traceback."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Answer the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """What every process that stays is told."""

    metrics_listen: str = "127.0.0.1:0"
    """Address of the Prometheus `/metrics` page, host:port."""
    log_level: str = "INFO"
    """Least severe level that is logged: DEBUG, INFO, WARNING or ERROR."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings(ProcessSettings):
    """What every process that serves RPCs is told."""

    identity_jwks: Path
    """File with auth's public keys (a JWKS), made beside `AUTH_SIGNING_KEY` by whoever deploys auth."""
    listen: str = "127.0.0.1:0"
    """Address of the RPC port, host:port; port 0 picks a free one."""
    stop_grace: timedelta = timedelta(seconds=8)
    """How long a stopping process lets calls in progress finish."""


@dataclass(frozen=True, kw_only=True)
class MigrateSettings:
    """What `migrate` is told."""

    owner_database_url: Secret
    """PostgreSQL as the owner of the service's schema: postgresql+asyncpg://<service>_owner:<password>@<host>:<port>/<database>."""


def load(cls: type[T], *, prefix: str, environ: Mapping[str, str], known: Sequence[type] = ()) -> T:
    """Read `cls` from the variables that begin with `prefix`.

    Args:
        cls: the frozen dataclass to fill.
        prefix: the service's prefix with its underscore, `AUTH_`.
        environ: the environment.
        known: other settings of the same prefix, whose variables are therefore not unknown.

    Raises:
        SettingsError: variables are missing, cannot be read, or are unknown; all of them are named.
    """
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # a dataclass, by contract
        name = prefix + field.name.upper()
        if name in environ:
            try:
                values[field.name] = _parse(hints[field.name], environ[name])
            except (ValueError, OverflowError) as error:
                problems.append(f"{name}: {error}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            problems.append(f"{name}: is missing")
    problems += _unknown(prefix, environ, (cls, *known))
    if problems:
        raise SettingsError("\n".join(problems))
    return cls(**values)


def _unknown(prefix: str, environ: Mapping[str, str], classes: Sequence[type]) -> list[str]:
    names = {prefix + field.name.upper() for cls in classes for field in dataclasses.fields(cls)}
    return [
        f"{name}: is not a setting"
        for name in sorted(environ)
        if name.startswith(prefix) and name not in names
    ]


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text.lower() == "true"


_PARSERS: dict[object, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: float,
    bool: _boolean,
    Path: Path,
    Secret: Secret,
    timedelta: lambda text: timedelta(seconds=float(text)),
    tuple[str, ...]: lambda text: tuple(part.strip() for part in text.split(",") if part.strip()),
}


def _parse(kind: Any, text: str) -> Any:
    if isinstance(kind, types.UnionType):  # X | None: absent is None, present is an X
        kind = next(member for member in typing.get_args(kind) if member is not types.NoneType)
    if not text:
        raise ValueError("is empty")
    return _PARSERS[kind](text)

"""The client library of NATS without what it would load for websockets, a client of HTTP: 7 MB of every process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _absent(name: str) -> Iterator[None]:
    """Have a module look as if it were not installed."""
    loaded = sys.modules.pop(name, None)
    sys.modules[name] = None  # type: ignore[assignment]  # as Python's import system has it
    try:
        yield
    finally:
        del sys.modules[name]
        if loaded is not None:
            sys.modules[name] = loaded


with _absent("aiohttp"):
    from nats import errors
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext, api
    from nats.js import errors as js_errors

__all__ = ["Client", "JetStreamContext", "Msg", "api", "errors", "js_errors"]

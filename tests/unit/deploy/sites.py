"""A site that exists on paper only."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from deploy.local.home import Home
from deploy.local.passwords import Passwords
from deploy.local.settings import Settings
from deploy.local.site import Site

SEED = bytes(32)


def site(home: Path, **settings: int) -> Site:
    """Make a site in which each port has a number of its own."""
    numbers = iter(range(20_000, 21_000))
    ports: dict[str, int] = defaultdict(lambda: next(numbers))
    return Site(Settings(home=home, **settings), Home(home), Passwords(SEED), ports)

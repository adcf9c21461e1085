"""Checks of fields that auth alone knows: names and networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from services.chassis.fields import Problems

MAX_NAME = 256
"""Longest display name or location, in characters."""


def network(text: str) -> str | None:
    """Answer a network in CIDR form, an address as the network of it alone; None if the text is neither.

    Host bits must be zero, for they would say more than is meant; a zone means something on one machine only.
    """
    try:
        return None if "%" in text else str(ipaddress.ip_network(text))
    except ValueError:
        return None


def check_networks(problems: Problems, field: str, values: Iterable[str]) -> None:
    """Check networks."""
    for index, value in enumerate(values):
        if network(value) is None:
            problems.add(f"{field}[{index}]", "must be a network in CIDR form, such as 198.51.100.0/24")

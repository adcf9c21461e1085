"""What runs of a mesh: its processes, its ports, and whether it takes scans."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from deploy.local.mesh import Mesh
from deploy.local.process import ProcessId
from deploy.local.unit import State

BACK_SECONDS = 5.0
"""Within that a part that died is back, and a mesh that is stopped is gone."""


def processes(description: dict[str, Any]) -> list[ProcessId]:
    return [ProcessId.of(pid) for pids in description["processes"].values() for pid in pids]


def ports(description: dict[str, Any]) -> set[int]:
    """Every port that mesh.json names."""
    edge = description["edge"]
    urls = [
        edge["http"],
        edge["https"],
        edge["admin"],
        *(description[name] for name in ("nats", "postgres", "valkey")),
    ]
    urls += [page for pages in description["metrics"].values() for page in pages]
    urls += [f"grpc://{address}" for addresses in description["services"].values() for address in addresses]
    return {port for url in urls if (port := urlsplit(url).port)}


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def accepts(description: dict[str, Any]) -> bool:
    """Whether the demo's scanner is recognised and the bus there: an empty scan is refused as invalid then."""
    headers = {"x-api-key": description["demo"]["api_key"]}
    try:
        return (
            httpx.post(f"{description['edge']['http']}/v1/scans", json={}, headers=headers).status_code == 400
        )
    except httpx.TransportError:
        return False


def all_ready(mesh: Mesh) -> bool:
    """Whether every part answers. PostgreSQL may be started twice: it refuses while what a killed one left is ending."""
    return {part.state for part in mesh.parts()} <= {State.READY, State.DONE}


def of_home(root: Path) -> list[str]:
    """The command lines of all processes that name this home, PostgreSQL's and the supervisor's own children included."""
    lines = [command_line(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [line for line in lines if str(root) in line]


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""

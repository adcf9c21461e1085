"""All parts of the mesh, and the ports and files they share."""

from __future__ import annotations

from deploy.local import envoy, nats, postgres, services, valkey
from deploy.local.home import Home
from deploy.local.parts import Part
from deploy.local.passwords import Passwords
from deploy.local.ports import assign, check_port
from deploy.local.roster import PROCESSES, SERVICES
from deploy.local.settings import Settings
from deploy.local.site import Site


def prepare(settings: Settings, home: Home) -> Site:
    """Make the home folder ready for a start: ports, passwords and configuration files.

    Raises:
        CannotStart: the edge's port is in use, or set-up was not done.
    """
    ports = assign(home, _port_names(settings), edge_port=settings.port)
    site = Site(settings, home, Passwords.of(home), ports)
    for part in (postgres, nats, valkey, envoy):
        part.write_configuration(site)
    return site


def parts(site: Site) -> list[Part]:
    """Describe every part of the mesh."""
    return [
        *postgres.parts(site),
        *nats.parts(site),
        *valkey.parts(site),
        *services.parts(site),
        *envoy.parts(site),
    ]


def _port_names(settings: Settings) -> list[str]:
    return [
        *("postgres", "nats", "nats.monitor", "valkey", "envoy.admin"),
        *(replica for name in SERVICES for replica in settings.replica_names(name)),
        *(check_port(replica) for replica in settings.replica_names("auth")),
        *(f"{replica}.metrics" for name in PROCESSES for replica in settings.replica_names(name)),
    ]

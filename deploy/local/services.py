"""The services and their steps: who starts when."""

from __future__ import annotations

import json
from functools import partial

from deploy.local import environments, postgres, priority
from deploy.local.parts import Part
from deploy.local.ports import EDGE
from deploy.local.readiness import grpc_serving, http_ok
from deploy.local.roster import SERVICES, WORKERS
from deploy.local.site import Site

DEMO_OPERATOR_EMAIL = "operator@demo.example"
_STORES = ("migrate", "provision", "keys", "valkey")
"""What every process of a service finds done. None needs another service: each waits for whom it asks by itself."""


def parts(site: Site) -> list[Part]:
    """Describe every process of every service, and the steps that prepare stores and streams for them."""
    return [
        *_preparations(site),
        *(part for service in SERVICES for part in _serve(site, service)),
        *(part for name in WORKERS for part in _work(site, name)),
        Part(
            name="demo",
            needs=("auth-bootstrap",),  # and all else, but for that it waits by itself, loaded already
            argv=(site.python, "-m", "deploy.demo.seed", str(site.home.demo_file)),
            stdin=_demo(site),
        ),
    ]


def metrics(site: Site, process: str) -> list[str]:
    """Answer the pages with the metrics of a process's replicas."""
    return [
        f"http://{environments.metrics_listen(site, replica)}/metrics" for replica in site.replicas(process)
    ]


def _preparations(site: Site) -> list[Part]:
    run = site.python
    return [
        Part(
            name="keys",
            argv=(run, "-m", "deploy.local.keys", str(site.home.root)),
            marker=site.home.tls / "keys.done",
        ),
        Part(
            name="migrate",
            needs=("postgres-roles",),
            argv=(run, "-m", "deploy.local.migrate"),
            stdin=_owners(site),
        ),
        Part(
            name="auth-bootstrap",
            needs=("migrate",),
            argv=(run, *_verb("auth", "bootstrap")),
            env=environments.of_bootstrap(site),
            marker=postgres.marker(site, "auth-bootstrap"),  # what it makes is kept where the marker is
        ),
        Part(
            name="provision",
            needs=("nats",),
            argv=(run, "-m", "deploy.local.provision"),
            env=environments.of_provision(site),
        ),
    ]


def _owners(site: Site) -> str:
    """Answer what the step `migrate` is told."""
    return json.dumps({service: environments.database_url(site, f"{service}_owner") for service in SERVICES})


def _demo(site: Site) -> str:
    """Answer what the demo is told: where the edge is, and who may make companies."""
    admin = {
        "email": environments.PLATFORM_ADMIN_EMAIL,
        "password": environments.platform_admin_password(site),
    }
    operator = {"email": DEMO_OPERATOR_EMAIL, "password": site.passwords["demo.operator"]}
    edge = f"http://127.0.0.1:{site.ports[EDGE]}"
    return json.dumps({"edge": edge, "platform_admin": admin, "operator": operator})


def _serve(site: Site, service: str) -> list[Part]:
    """Describe the replicas of a service, each with ports of its own."""
    return [
        Part(
            name=replica,
            process=service,
            argv=(site.python, *_verb(service, "serve")),
            needs=_STORES,
            env=environments.of_service(site, service, replica),
            ready=partial(grpc_serving, site.ports[replica]),
        )
        for replica in site.replicas(service)
    ]


def _work(site: Site, name: str) -> list[Part]:
    """Describe the replicas of a worker: with no port for RPCs, it is up when its metrics can be read."""
    worker = WORKERS[name]
    return [
        Part(
            name=replica,
            process=name,
            argv=(site.python, *_verb(worker.service, worker.verb)),
            needs=_STORES,
            env=environments.of_worker(site, worker.service, replica),
            nice=priority.BEHIND,
            ready=partial(http_ok, site.ports[f"{replica}.metrics"], "/metrics"),
        )
        for replica in site.replicas(name)
    ]


def _verb(service: str, verb: str) -> tuple[str, ...]:
    return ("-m", f"services.{service}", verb)

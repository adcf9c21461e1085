"""From what was shown to what it is worth: own memory, the shared cache, the database, in this order.

A cached record counts only while the feed of changes is alive and no change is known that it lacks. So a dead feed
makes auth slow, never wrong; and a database that is away leaves those at work whose records are cached.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.cache import SharedCache
from services.auth.credentials import Credential
from services.auth.keys import PREFIX, Keyring, PresentedKey
from services.auth.recent import Recent
from services.auth.revocations import MAX_SILENCE, Revocations
from services.auth.store_credential import CredentialStore
from services.auth.tokens import AccessToken, AccessTokens
from services.chassis import telemetry
from services.chassis.clock import Clock
from services.chassis.errors import Unauthenticated, Unavailable

_IN_MEMORY = timedelta(minutes=5)
_UNKNOWN_FOR = timedelta(seconds=10)
_MOST_KNOWN = 50_000
"""About 60 MB when full."""
_MOST_UNKNOWN = 20_000
_HANGS_SECONDS = 0.5
"""A hundred times what a query takes. The edge lets 512 checks wait; by then, as many do as come in that time."""

_lookups = telemetry.meter(__name__).create_counter(
    "auth.lookups",
    description="credentials looked up, by the tier that answered; none: the database hangs",
)


class CredentialUnknown(Unauthenticated):
    """A well-formed key or session that is none of ours, or has been revoked."""

    def __init__(self) -> None:
        super().__init__("the credential is not valid")


@dataclass(frozen=True, slots=True)
class _Loading:
    task: asyncio.Task[Credential]
    began: float


class Recogniser:
    """Reads what was shown as a credential, and answers what it is worth."""

    def __init__(
        self, keyring: Keyring, access_tokens: AccessTokens, resolver: Resolver, clock: Clock
    ) -> None:
        self._keyring = keyring
        self._access_tokens = access_tokens
        self._resolver = resolver
        self._clock = clock

    async def recognise(self, shown: str) -> Credential:
        """Answer what an API key or an access token is worth.

        Raises:
            Unauthenticated: it is malformed, unknown, revoked or expired.
            Unavailable: it is not cached, and the database is away.
        """
        if shown.startswith(PREFIX):
            return await self._resolver.key(self._keyring.read(shown))
        return await self._resolver.session(self._access_tokens.read(shown, self._clock()))


class Resolver:
    """Answers what keys and sessions are worth."""

    def __init__(
        self, shared: SharedCache, store: CredentialStore, revocations: Revocations, clock: Clock
    ) -> None:
        self._shared = shared
        self._store = store
        self._revocations = revocations
        self._clock = clock
        self._known: Recent[str, Credential] = Recent(_MOST_KNOWN)
        self._unknown: Recent[str, datetime] = Recent(_MOST_UNKNOWN)
        self._loading: dict[str, _Loading] = {}
        self._answered_at = -math.inf
        """Loop time at which the database has last answered anybody."""

    async def key(self, key: PresentedKey) -> Credential:
        """Answer what an API key is worth.

        Raises:
            CredentialUnknown: it is none of ours, or has been revoked.
            Unavailable: it is not cached, and the database is away.
        """
        return await self._resolve(f"scanner:auth:{key.digest.hex()}", lambda: self._store.by_key(key))

    async def session(self, token: AccessToken) -> Credential:
        """Answer what the session of an access token is worth.

        Raises:
            CredentialUnknown: it has ended.
            Unavailable: it is not cached, and the database is away.
        """
        name = f"session:auth:{token.session_id}"
        return await self._resolve(name, lambda: self._store.by_session(token))

    async def ready(self) -> None:
        """Return if a credential can be told: the known ones by a live feed, any by the database.

        Raises:
            Unavailable: neither is there.
        """
        if not self._revocations.alive(self._clock()):
            await self._store.ping()

    async def _resolve(self, name: str, load: Callable[[], Awaitable[Credential | None]]) -> Credential:
        now = self._clock()
        if (
            self._unknown.get(name, now) is not None
        ):  # an id that is nobody's, or was ended, is never anybody's later
            raise CredentialUnknown
        return await self._cached(name) or await self._load(name, load)

    async def _cached(self, name: str) -> Credential | None:
        now = self._clock()
        if not self._revocations.alive(now):
            return None
        known = self._known.get(name, now)
        if known is not None and not self._revocations.outdated(known):
            _lookups.add(1, {"tier": "memory"})
            return known
        shared = await self._shared.get(name)
        if shared is None or self._revocations.outdated(shared):
            return None
        _lookups.add(1, {"tier": "shared"})
        self._known.put(name, shared, now + _IN_MEMORY)
        return shared

    async def _load(self, name: str, load: Callable[[], Awaitable[Credential | None]]) -> Credential:
        """Load a credential, once for all who ask for it meanwhile: else a cold start would be a flood of one query.

        Who joins is answered from before it asked. So nobody joins a load older than news may be, nor believes what it
        brings when a change is known by now that it lacks.

        Nobody else waits for a database that hangs: they would take all the connections that the edge has to this
        process, and those who are known could not be answered either.
        """
        if self._hangs():
            _lookups.add(1, {"tier": "none"})
            raise Unavailable("the database does not answer")
        now = asyncio.get_running_loop().time()
        loading = self._loading.get(name)
        if loading is None or now - loading.began > MAX_SILENCE.total_seconds():
            return await asyncio.shield(self._begin(name, load, now).task)
        credential = await asyncio.shield(loading.task)
        return await self._load(name, load) if self._revocations.outdated(credential) else credential

    def _hangs(self) -> bool:
        """Tell whether somebody waits for the database that long, and nobody has been answered in that time either."""
        since = asyncio.get_running_loop().time() - _HANGS_SECONDS
        oldest = next(iter(self._loading.values()), None)
        return oldest is not None and oldest.began < since and self._answered_at < since

    def _begin(self, name: str, load: Callable[[], Awaitable[Credential | None]], now: float) -> _Loading:
        # A task of its own: it goes on for the others when the first one who asked is cancelled.
        begun = _Loading(asyncio.create_task(self._fill(name, load)), now)
        self._loading.pop(name, None)  # so that the first one is the oldest
        self._loading[name] = begun

        def ended(_: asyncio.Task[Credential]) -> None:
            if self._loading.get(name) is begun:
                del self._loading[name]

        begun.task.add_done_callback(ended)
        return begun

    async def _fill(self, name: str, load: Callable[[], Awaitable[Credential | None]]) -> Credential:
        credential = await load()
        self._answered_at = asyncio.get_running_loop().time()
        now = self._clock()
        _lookups.add(1, {"tier": "database"})
        if credential is None:
            self._unknown.put(name, now, now + _UNKNOWN_FOR)
            raise CredentialUnknown
        self._known.put(name, credential, now + _IN_MEMORY)
        await self._shared.put(name, credential)
        return credential

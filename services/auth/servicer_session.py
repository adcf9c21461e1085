"""SessionService: operators sign in, stay in and sign out; and everybody may read the public keys."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from google.api import httpbody_pb2
from scanmesh.auth.v1 import auth_pb2, auth_pb2_grpc

from services.auth import users, wire
from services.auth.control import Control
from services.auth.credentials import CompanySuspended
from services.auth.passwords import Passwords
from services.auth.sessions import PresentedToken, RefreshTokenInvalid, Session, SignInRefused, Verdict
from services.auth.store_session import SessionStore, SignIn
from services.auth.tokens import SessionTokens
from services.chassis import identity
from services.chassis.clock import Clock

_log = logging.getLogger(__name__)


class SessionServicer(auth_pb2_grpc.SessionServiceServicer):
    """Makes sessions of passwords, renews them by refresh tokens, and ends them."""

    def __init__(
        self,
        store: SessionStore,
        passwords: Passwords,
        tokens: SessionTokens,
        control: Control,
        *,
        clock: Clock,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._tokens = tokens
        self._control = control
        self._clock = clock
        self._trail = wire.Trail("SessionService", clock)

    async def CreateSession(
        self, request: auth_pb2.CreateSessionRequest, context: Any
    ) -> auth_pb2.CreateSessionResponse:
        who = await self._authenticate(request.email, request.password)
        entry = self._trail.entry("CreateSession", by=(str(who.user_id), who.role))
        session = await self._store.create(who, entry)
        return auth_pb2.CreateSessionResponse(**self._issue(session))

    async def RefreshSession(
        self, request: auth_pb2.RefreshSessionRequest, context: Any
    ) -> auth_pb2.RefreshSessionResponse:
        shown = self._tokens.refresh.read(request.refresh_token)
        session, who = await self._living(shown)
        self._tokens.refresh.verify(shown, session)
        entry = self._trail.entry("RefreshSession", by=(str(who.user_id), who.role))
        verdict, session = await self._store.show(shown, entry)
        if verdict is Verdict.END:
            _log.warning(
                "a used refresh token ended its session", extra={"session_id": str(session.session_id)}
            )
            await self._control.settle(session.company_id)
            raise RefreshTokenInvalid
        return auth_pb2.RefreshSessionResponse(**self._issue(session))

    async def DeleteSession(
        self, request: auth_pb2.DeleteSessionRequest, context: Any
    ) -> auth_pb2.DeleteSessionResponse:
        who = identity.caller().identity
        await self._store.end(who.company_id, UUID(who.session_id), self._trail.entry("DeleteSession"))
        await self._control.settle(who.company_id)
        return auth_pb2.DeleteSessionResponse()

    async def GetJwks(self, request: auth_pb2.GetJwksRequest, context: Any) -> httpbody_pb2.HttpBody:
        return httpbody_pb2.HttpBody(content_type="application/json", data=self._tokens.jwks)

    async def _authenticate(self, email: str, password: str) -> SignIn:
        email = users.normal_email(email)
        # What cannot be an email is nobody's, and may be what the store cannot even be asked for.
        who = await self._store.sign_in(email) if users.is_email(email) else None
        # An unknown email costs the same time, so it cannot be told from a known one.
        right = await self._passwords.matches(password, who.password_hash if who is not None else None)
        if who is None or not right or not who.user_active:
            _log.info("sign-in refused", extra={"user_id": str(who.user_id) if who is not None else ""})
            raise SignInRefused
        if not who.company_active:
            raise CompanySuspended
        return who

    async def _living(self, shown: PresentedToken) -> tuple[Session, SignIn]:
        found = await self._store.get(shown.company_id, shown.session_id, self._clock())
        if found is None:
            raise RefreshTokenInvalid
        session, who = found
        if not who.company_active:
            raise CompanySuspended
        return session, who

    def _issue(self, session: Session) -> dict[str, Any]:
        access_token, expires = self._tokens.access.mint(session, self._clock())
        return {
            "access_token": access_token,
            "access_expire_time": wire.timestamp(expires),
            "refresh_token": self._tokens.refresh.write(session),
            "refresh_expire_time": wire.timestamp(session.expire_time),
        }

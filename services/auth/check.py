"""The edge's question about every request: who is it, and may it come in (Envoy's ext_authz)?

A caller that is known costs an HMAC and a few look-ups in memory: the same credential gets the same pass, token and
answer in one, for half a minute, and then a new one. So a service that has just been handed a token has half a minute
left to use it, and every service verifies a signature once per credential and half minute, not per request.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from google.protobuf import json_format
from google.rpc import error_details_pb2  # noqa: F401 - the details' types, by which JSON is written

from services.auth.credentials import Credential
from services.auth.keys import PREFIX
from services.auth.recent import Recent
from services.auth.resolver import Recogniser
from services.auth.seen import Seen
from services.chassis import errors, identity
from services.chassis.clock import Clock
from services.chassis.errors import MeshError, PermissionDenied, Unauthenticated
from services.chassis.identity import Identity, Role, Signer
from services.chassis.plans import Plans

_PASS_REUSED = timedelta(seconds=30)
_MOST_PASSES = 50_000
_KEY_HEADER = "x-api-key"
_TOKEN_HEADER = "authorization"  # noqa: S105 - a header's name
_NATIVE_HEADER = "x-scanmesh-native"
"""Set by the edge for callers who speak gRPC."""
_ADDRESS_HEADER = "x-envoy-external-address"

LANE_HEADER = "x-scanmesh-lane"
"""Tells the edge the lane of the company's plan, by which it bounds what is under way; no service sees it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the edge is told: with status 200 the headers go on with the request, else all of it goes to the client."""

    status: int
    headers: Mapping[str, str]
    body: str = ""


UNSURE = Answer(503, {})
"""Nobody is let in, and nobody told that the credential is bad."""


@dataclass(frozen=True, slots=True)
class _Pass:
    holder: Identity
    answer: Answer


@dataclass(frozen=True)
class Doorkeeper:
    """Lets in whoever shows a credential that is worth it, and hands on who that is."""

    recogniser: Recogniser
    signer: Signer
    seen: Seen
    plans: Plans
    clock: Clock
    _passes: Recent[str, _Pass] = field(default_factory=lambda: Recent(_MOST_PASSES))

    async def check(self, headers: Mapping[str, str]) -> Answer:
        """Judge a request by its headers, their names in lower case."""
        try:
            credential = await self.recogniser.recognise(_presented(headers))
            credential.admit(headers.get(_ADDRESS_HEADER, ""), self.clock())
        except Unauthenticated as error:
            return _refusal(401, error, grpc=_NATIVE_HEADER in headers)
        except PermissionDenied as error:
            return _refusal(403, error, grpc=_NATIVE_HEADER in headers)
        except MeshError:  # of our own: the edge answers for us, in the caller's form
            return UNSURE
        return self._pass(credential)

    def _pass(self, credential: Credential) -> Answer:
        now = self.clock()
        if credential.role is Role.SCANNER:
            self.seen.note(credential, now)
        holder = credential.identity(self.plans.of(credential.company_id).lane)
        known = self._passes.get(credential.credential_id, now)
        if known is None or known.holder != holder:
            known = _Pass(holder, self._admission(holder))
            self._passes.put(credential.credential_id, known, now + _PASS_REUSED)
        return known.answer

    def _admission(self, holder: Identity) -> Answer:
        token = self.signer.sign(holder, self.clock())
        return Answer(200, {identity.METADATA_KEY: token, LANE_HEADER: holder.lane})


def _presented(headers: Mapping[str, str]) -> str:
    """Answer the one credential of a request; two that differ are none, for nobody could say who it is.

    Raises:
        Unauthenticated: there is none, or there are two.
    """
    key = headers.get(_KEY_HEADER, "")
    authorization = headers.get(_TOKEN_HEADER, "")
    if not (key.isascii() and authorization.isascii()):
        raise Unauthenticated("the credential is not valid")
    scheme, _, rest = authorization.partition(" ")
    bearer = rest.strip()
    if authorization and scheme.lower() != "bearer":
        raise Unauthenticated("the authorization is not of the form `Bearer <token>`")
    if key and not key.startswith(PREFIX):
        raise Unauthenticated("the API key is not valid")
    if key and bearer and key != bearer:
        raise Unauthenticated("the request shows two different credentials")
    if not (key or bearer):
        raise Unauthenticated("the request shows no credential")
    return key or bearer


def _refusal(status: int, error: MeshError, *, grpc: bool) -> Answer:
    """Answer a client as the mesh's services do: JSON over HTTP, details in a trailer over gRPC."""
    said = errors.to_status(error)
    headers = {"content-type": "application/json"}
    body = json_format.MessageToJson(said, indent=None, always_print_fields_with_no_presence=True)
    if grpc:
        details = base64.b64encode(said.SerializeToString()).rstrip(b"=").decode()
        headers, body = {errors.DETAILS_KEY: details, "content-type": "application/grpc"}, said.message
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="scanmesh"'
    return Answer(status, headers, body)

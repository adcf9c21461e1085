"""The edge's question about every request: who is it, and may it come in (Envoy's ext_authz)?

A caller that is known costs an HMAC and a few look-ups in memory: the same credential gets the same pass, token and
answer in one, for half a minute, and then a new one. So a service that has just been handed a token has half a minute
left to use it, and every service verifies a signature once per credential and half minute, not per request.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2  # noqa: F401 - the details' types, by which JSON is written
from scanmesh_envoy import external_auth_pb2 as envoy
from scanmesh_envoy import external_auth_pb2_grpc as envoy_grpc

from services.auth.credentials import Credential
from services.auth.keys import PREFIX
from services.auth.recent import Recent
from services.auth.resolver import Recogniser
from services.auth.seen import Seen
from services.chassis import errors, identity
from services.chassis.clock import Clock
from services.chassis.errors import MeshError, Unauthenticated
from services.chassis.identity import Identity, Role, Signer
from services.chassis.plans import Plans

_PASS_REUSED = timedelta(seconds=30)
_MOST_PASSES = 50_000
_KEY_HEADER = "x-api-key"
_TOKEN_HEADER = "authorization"  # noqa: S105 - a header's name
_ADDRESS_HEADER = "x-envoy-external-address"

_HTTP_STATUS = {
    Unauthenticated.code: 401,
    errors.PermissionDenied.code: 403,
    errors.Unavailable.code: 503,
}


@dataclass(frozen=True, slots=True)
class _Pass:
    holder: Identity
    response: envoy.CheckResponse


class AuthorizationServicer(envoy_grpc.AuthorizationServicer):
    """Lets in whoever shows a credential that is worth it, and hands on who that is."""

    def __init__(
        self, recogniser: Recogniser, signer: Signer, seen: Seen, plans: Plans, *, clock: Clock
    ) -> None:
        self._recogniser = recogniser
        self._signer = signer
        self._seen = seen
        self._plans = plans
        self._clock = clock
        self._passes: Recent[str, _Pass] = Recent(_MOST_PASSES)

    async def Check(self, request: envoy.CheckRequest, context: Any) -> envoy.CheckResponse:
        headers = request.attributes.request.http.headers
        try:
            credential = await self._recogniser.recognise(_presented(headers))
            credential.admit(_address(request.attributes, headers), self._clock())
        except MeshError as error:
            # Not a failed call but an answer, which Envoy hands to the client as it is.
            return _refusal(error, grpc=headers.get("content-type", "").startswith("application/grpc"))
        return self._pass(credential)

    def _pass(self, credential: Credential) -> envoy.CheckResponse:
        now = self._clock()
        if credential.role is Role.SCANNER:
            self._seen.note(credential, now)
        holder = credential.identity(self._plans.of(credential.company_id).lane)
        known = self._passes.get(credential.credential_id, now)
        if known is None or known.holder != holder:
            known = _Pass(holder, _admission(self._signer.sign(holder, now)))
            self._passes.put(credential.credential_id, known, now + _PASS_REUSED)
        return known.response


def _presented(headers: Mapping[str, str]) -> str:
    """Answer the one credential of a request; two that differ are none, for nobody could say who it is.

    Raises:
        Unauthenticated: there is none, or there are two.
    """
    key = headers.get(_KEY_HEADER, "")
    authorization = headers.get(_TOKEN_HEADER, "")
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


def _address(attributes: envoy.AttributeContext, headers: Mapping[str, str]) -> str:
    """Answer the client's address: the edge takes this header off what comes in and sets it behind a proxy it trusts."""
    return headers.get(_ADDRESS_HEADER, "") or attributes.source.address.socket_address.address


def _admission(token: str) -> envoy.CheckResponse:
    header = envoy.HeaderValueOption(
        header=envoy.HeaderValue(key=identity.METADATA_KEY, value=token),
        append_action=envoy.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
    return envoy.CheckResponse(
        status=status_pb2.Status(),
        ok_response=envoy.OkHttpResponse(headers=[header], headers_to_remove=[_KEY_HEADER, _TOKEN_HEADER]),
    )


def _refusal(error: MeshError, *, grpc: bool) -> envoy.CheckResponse:
    """Answer a client as the mesh's services do: JSON over HTTP, details in a trailer over gRPC."""
    status = errors.to_status(error)
    headers = {"content-type": "application/json"}
    body = json_format.MessageToJson(status, indent=None, always_print_fields_with_no_presence=True)
    if grpc:
        details = base64.b64encode(status.SerializeToString()).rstrip(b"=").decode()
        headers, body = {errors.DETAILS_KEY: details}, status.message
    http_status = _HTTP_STATUS.get(error.code, 503)
    if http_status == 401:
        headers["www-authenticate"] = 'Bearer realm="scanmesh"'
    if error.retry_delay is not None:
        headers[errors.RETRY_AFTER_KEY] = str(errors.retry_after(error.retry_delay))
    return envoy.CheckResponse(
        status=status_pb2.Status(code=status.code, message=status.message),
        denied_response=envoy.DeniedHttpResponse(
            status=envoy.HttpStatus(code=http_status),
            headers=[
                envoy.HeaderValueOption(
                    header=envoy.HeaderValue(key=key, value=value),
                    append_action=envoy.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
                )
                for key, value in headers.items()
            ],
            body=body,
        ),
    )

"""Every RPC of the descriptors: routed or internal as the contract says, in the roles table, refused without identity.

The descriptors decide what is tested, so an RPC added later is tested without anyone remembering.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import scanmesh
from google.api import annotations_pb2
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from services.chassis import roles
from tests.system.actors import Device, error_info

# CONTRACT section 3: no HTTP annotation, and not routed.
INTERNAL = {
    "/scanmesh.ratelimit.v1.RateLimitService/Spend",
    "/scanmesh.ratelimit.v1.RateLimitService/SpendMany",
    "/scanmesh.ratelimit.v1.RateLimitService/Refund",
    "/scanmesh.billing.v1.UsageService/GetLedgerTotal",
}


def _files() -> Iterator[FileDescriptor]:
    root = Path(next(iter(scanmesh.__path__)))
    for path in sorted(root.rglob("*_pb2.py")):
        module = ".".join((root.name, *path.relative_to(root).with_suffix("").parts))
        yield importlib.import_module(module).DESCRIPTOR


METHODS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method
    for file in _files()
    for service in file.services_by_name.values()
    for method in service.methods
}


def _http_rule(method: MethodDescriptor) -> tuple[str, str] | None:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return None if verb is None else (verb.upper(), getattr(rule, verb))


def _path(template: str) -> str:
    return template.replace("{company_id}", "1").replace("{", "").replace("}", "")


def test_descriptors_were_found() -> None:
    assert "/scanmesh.ingest.v1.IngestService/SubmitScan" in METHODS
    assert "/scanmesh.billing.v1.BillingService/PreviewInvoice" in METHODS


def test_every_rpc_is_in_the_roles_table_and_no_row_is_stale() -> None:
    stock = {name for name in roles.RULES if name.startswith("/grpc.")}
    assert set(METHODS) == set(roles.RULES) - stock


def test_internal_rpcs_are_the_ones_of_the_contract() -> None:
    assert {name for name, method in METHODS.items() if _http_rule(method) is None} == INTERNAL
    assert {name for name in METHODS if not roles.RULES[name].public} == INTERNAL


@pytest.mark.parametrize("name", sorted(METHODS))
def test_native_call_reaches_public_rpcs_only(description, name: str) -> None:
    code = _native_code(description["edge"]["http"].removeprefix("http://"), name)
    rule = roles.RULES[name]
    if not rule.public:
        assert code is grpc.StatusCode.UNIMPLEMENTED
    elif rule.needs_identity:
        assert code is grpc.StatusCode.UNAUTHENTICATED
    else:
        assert code in {grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INVALID_ARGUMENT}


@pytest.mark.parametrize("name", [name for name in sorted(METHODS) if name not in INTERNAL])
def test_http_route_exists(device: Device, name: str) -> None:
    rule = _http_rule(METHODS[name])
    assert rule is not None
    verb, template = rule
    body = {} if verb in {"POST", "PATCH", "PUT"} else None
    answer = device.http.call(verb, _path(template), body)
    assert answer.status != 404 or answer.reason != "ROUTE_NOT_FOUND", answer


@pytest.mark.parametrize("name", [name for name in sorted(METHODS) if roles.RULES[name].needs_identity])
def test_services_own_port_refuses_a_call_without_identity(description, name: str) -> None:
    service = METHODS[name].containing_service.file.package.split(".")[1]
    for address in description["services"][service]:
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(name)(_empty_request(name))
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert error_info(caught.value).reason == "CREDENTIALS_INVALID"


def test_reflection_is_for_the_services_ports(description) -> None:
    name = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    code = _native_code(description["edge"]["http"].removeprefix("http://"), name)
    assert code is grpc.StatusCode.UNIMPLEMENTED


def _empty_request(name: str) -> bytes:
    method = METHODS.get(name)
    return GetMessageClass(method.input_type)().SerializeToString() if method else b""


def _native_code(address: str, name: str) -> grpc.StatusCode:
    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary(name)(_empty_request(name), timeout=10)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

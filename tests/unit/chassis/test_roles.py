from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import scanmesh
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from services.chassis.errors import InvalidArgument, MeshError, PermissionDenied
from services.chassis.identity import PLATFORM, Role
from services.chassis.roles import RULES, Rule, Scope
from tests.fakes import identities

EVERY_ROLE = frozenset(Role)
OWN, OTHER = identities.COMPANY_ID, identities.COMPANY_ID + 1
OPERATORS = (Role.VIEWER, Role.ADMIN, Role.PLATFORM_ADMIN)
_NOT_BUILT_YET: frozenset[str] = frozenset()
"""Rows for RPCs whose protos do not exist yet."""


def files() -> list[FileDescriptor]:
    """Every file of protos/gen, and those of the services that each server adds."""
    modules = [
        ".".join(path.relative_to(Path(root).parent).with_suffix("").parts)
        for root in scanmesh.__path__
        for path in Path(root).rglob("*_pb2.py")
    ]
    ours = [importlib.import_module(name).DESCRIPTOR for name in modules]
    return [*ours, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR]


def rpcs() -> set[str]:
    return {
        f"/{service.full_name}/{rpc.name}"
        for file in files()
        for service in file.services_by_name.values()
        for rpc in service.methods
    }


def outcome(rule: Rule, role: Role, named: int) -> int | type[MeshError]:
    """The company acted on, or how the call is refused."""
    known = identities.scanner() if role is Role.SCANNER else identities.operator(role)
    try:
        caller = rule.authorise(known, SimpleNamespace(company_id=named))
    except MeshError as error:
        return type(error)
    assert caller.identity is known
    return caller.company_id


def test_the_table_names_every_rpc_that_exists() -> None:
    assert rpcs() - set(RULES) == set()


def test_the_table_names_no_rpc_that_does_not() -> None:
    assert set(RULES) - rpcs() == _NOT_BUILT_YET


@pytest.mark.parametrize("named", [0, OWN, OTHER, -1])
@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("role", Role)
def test_a_role_that_is_not_allowed_is_refused_whatever_it_asks(role: Role, scope: Scope, named: int) -> None:
    assert outcome(Rule(EVERY_ROLE - {role}, scope), role, named) is PermissionDenied


@pytest.mark.parametrize("role", [Role.SCANNER, Role.VIEWER, Role.ADMIN])
@pytest.mark.parametrize(
    ("scope", "named", "expected"),
    [
        (Scope.PATH, OWN, OWN),
        (Scope.PATH, OTHER, PermissionDenied),
        (Scope.PATH, 0, InvalidArgument),
        (Scope.PATH, -1, InvalidArgument),
        (Scope.OPTIONAL, 0, OWN),
        (Scope.OPTIONAL, OWN, OWN),
        (Scope.OPTIONAL, OTHER, PermissionDenied),
        (Scope.OPTIONAL, -1, InvalidArgument),
        (Scope.OWN, OWN, OWN),
        (Scope.OWN, OTHER, OWN),
        (Scope.OWN, 0, OWN),
    ],
)
def test_a_member_of_a_company_acts_on_no_other(
    role: Role, scope: Scope, named: int, expected: int | type[MeshError]
) -> None:
    assert outcome(Rule(EVERY_ROLE, scope), role, named) == expected


@pytest.mark.parametrize(
    ("scope", "named", "expected"),
    [
        (Scope.PATH, OWN, OWN),
        (Scope.PATH, OTHER, OTHER),
        (Scope.PATH, 0, InvalidArgument),
        (Scope.PATH, -1, InvalidArgument),
        (Scope.OPTIONAL, OTHER, OTHER),
        (Scope.OPTIONAL, 0, InvalidArgument),
        (Scope.OPTIONAL, -1, InvalidArgument),
        (Scope.OWN, OTHER, PLATFORM),
        (Scope.OWN, 0, PLATFORM),
    ],
)
def test_a_platform_admin_acts_on_the_company_it_names(
    scope: Scope, named: int, expected: int | type[MeshError]
) -> None:
    assert outcome(Rule(EVERY_ROLE, scope), Role.PLATFORM_ADMIN, named) == expected


def test_a_company_that_must_be_named_is_a_violation_of_its_field() -> None:
    with pytest.raises(InvalidArgument) as caught:
        Rule(EVERY_ROLE, Scope.PATH).authorise(identities.operator(), SimpleNamespace(company_id=0))
    assert [violation.field for violation in caught.value.violations] == ["company_id"]


@pytest.mark.parametrize("path", sorted(path for path, rule in RULES.items() if rule.scope is not Scope.OWN))
def test_where_a_request_names_the_company_it_has_the_field(path: str) -> None:
    service, _, name = path.removeprefix("/").partition("/")
    (rpc,) = [
        rpc
        for file in files()
        for found in file.services_by_name.values()
        if found.full_name == service
        for rpc in found.methods
        if rpc.name == name
    ]
    assert (
        rpc.input_type.fields_by_name["company_id"].type
        == rpc.input_type.fields_by_name["company_id"].TYPE_INT32
    )


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/scanmesh.ingest.v1.IngestService/SubmitScan", {Role.SCANNER}),
        ("/scanmesh.ingest.v1.IngestService/SubmitScans", {Role.SCANNER}),
        ("/scanmesh.ingest.v1.IngestService/SubmitLegacyScan", {Role.SCANNER}),
        ("/scanmesh.ingest.v1.ScanService/GetScan", EVERY_ROLE),
        ("/scanmesh.ingest.v1.ScanService/GetScanStats", set(OPERATORS)),
        ("/scanmesh.auth.v1.CompanyService/CreateCompany", {Role.PLATFORM_ADMIN}),
        ("/scanmesh.auth.v1.ScannerService/RegisterScanner", {Role.ADMIN, Role.PLATFORM_ADMIN}),
        ("/scanmesh.auth.v1.ScannerService/ListScanners", set(OPERATORS)),
        ("/scanmesh.auth.v1.SessionService/CreateSession", set()),
        ("/scanmesh.ratelimit.v1.LimitService/SetLimitOverride", {Role.PLATFORM_ADMIN}),
        ("/scanmesh.billing.v1.BillingService/GetUsage", set(OPERATORS)),
    ],
)
def test_who_may_call_what_is_the_contracts(path: str, allowed: set[Role]) -> None:
    assert RULES[path].allowed == allowed


def test_what_asks_for_no_identity_is_only_what_the_contract_leaves_open() -> None:
    open_to_anyone = {
        path.rpartition("/")[2] for path, rule in RULES.items() if not rule.needs_identity and rule.public
    }
    internal = {path.rpartition("/")[2] for path, rule in RULES.items() if not rule.public}
    assert open_to_anyone == {
        "CreateSession",
        "RefreshSession",
        "GetJwks",
        "ListPlans",
        "Check",
        "Watch",
        "List",
    }
    assert internal == {"Spend", "SpendMany", "Refund", "GetLedgerTotal", "ServerReflectionInfo"}

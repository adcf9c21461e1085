"""Who may call what: one table that names every RPC of the mesh. An RPC missing from it refuses the start.

The rule of a row is checked by the server before the handler runs, on the decoded message, never on the path: a
query parameter overrides a path variable, so the path says nothing about what the handler will act on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from services.chassis.errors import InvalidArgument, PermissionDenied, Violation
from services.chassis.identity import Caller, Identity, Role


class Scope(Enum):
    """Where a request says on which company it acts."""

    PATH = auto()
    """`company_id` is part of the resource's name and must be given."""
    OPTIONAL = auto()
    """`company_id` may be given; absent means the caller's own. A platform admin, who has none, must give it."""
    OWN = auto()
    """The request names no company: it acts on the caller's own."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call one RPC, and on which company."""

    allowed: frozenset[Role]
    """Empty: no identity is asked for (public RPCs, and those of the private network)."""
    scope: Scope = Scope.OWN
    public: bool = True
    """Whether the edge routes it; the others are for the private network only."""

    @property
    def needs_identity(self) -> bool:
        return bool(self.allowed)

    def authorise(self, identity: Identity, request: Any) -> Caller:
        """Answer the caller with the company it acts on.

        Raises:
            PermissionDenied: the role, or the company, is not the caller's.
            InvalidArgument: the request must name a company and does not.
        """
        if identity.role not in self.allowed:
            raise PermissionDenied(f"a caller with the role {identity.role} may not do this")
        if self.scope is Scope.OWN:
            return Caller(identity, identity.company_id)
        return Caller(identity, self._company(identity, int(request.company_id)))

    def _company(self, identity: Identity, named: int) -> int:
        platform = identity.role is Role.PLATFORM_ADMIN
        if named == 0 and self.scope is Scope.OPTIONAL and not platform:
            return identity.company_id
        if named <= 0:
            raise InvalidArgument(
                "the request must name a company",
                violations=[Violation("company_id", "must be a company's id")],
            )
        if named != identity.company_id and not platform:
            raise PermissionDenied("the request acts on another company")
        return named


_ADMINS = frozenset({Role.ADMIN, Role.PLATFORM_ADMIN})
_OPERATORS = _ADMINS | {Role.VIEWER}

ANYONE = Rule(frozenset())
INTERNAL = Rule(frozenset(), public=False)
SCANNER = Rule(frozenset({Role.SCANNER}))
PLATFORM = Rule(frozenset({Role.PLATFORM_ADMIN}))
SIGNED_IN = Rule(_OPERATORS)
PLATFORM_ON_COMPANY = Rule(frozenset({Role.PLATFORM_ADMIN}), Scope.PATH)
READ = Rule(_OPERATORS, Scope.PATH)
WRITE = Rule(_ADMINS, Scope.PATH)
QUERY = Rule(_OPERATORS, Scope.OPTIONAL)
QUERY_OR_OWN_SCANS = Rule(_OPERATORS | {Role.SCANNER}, Scope.OPTIONAL)
QUERY_ADMIN = Rule(_ADMINS, Scope.OPTIONAL)
SCANNER_OR_OPERATOR = Rule(_OPERATORS | {Role.SCANNER})

_TABLE: dict[str, dict[str, Rule]] = {
    "scanmesh.auth.v1.SessionService": {
        "CreateSession": ANYONE,
        "RefreshSession": ANYONE,
        "DeleteSession": SIGNED_IN,
        "GetJwks": ANYONE,
    },
    "scanmesh.auth.v1.CompanyService": {
        "CreateCompany": PLATFORM,
        "GetCompany": READ,
        "ListCompanies": PLATFORM,
        "UpdateCompany": WRITE,
    },
    "scanmesh.auth.v1.UserService": {"CreateUser": WRITE, "ListUsers": WRITE, "UpdateUser": WRITE},
    "scanmesh.auth.v1.ScannerService": {
        "RegisterScanner": WRITE,
        "GetScanner": READ,
        "ListScanners": READ,
        "UpdateScanner": WRITE,
        "DeleteScanner": WRITE,
        "RotateApiKey": WRITE,
        "RevokeApiKeys": WRITE,
        "ListApiKeys": WRITE,
    },
    "scanmesh.auth.v1.AuditService": {"ListAuditEvents": WRITE},
    "scanmesh.ingest.v1.IngestService": {
        "SubmitScan": SCANNER,
        "SubmitScans": SCANNER,
        "SubmitLegacyScan": SCANNER,
    },
    "scanmesh.ingest.v1.ScanService": {
        "GetScan": QUERY_OR_OWN_SCANS,
        "ListScans": QUERY_OR_OWN_SCANS,
        "GetScanStats": QUERY,
        "ListDeadLetters": QUERY_ADMIN,
        "ReplayDeadLetters": QUERY_ADMIN,
    },
    "scanmesh.ratelimit.v1.LimitService": {
        "GetLimits": READ,
        "SetLimitOverride": PLATFORM_ON_COMPANY,
        "DeleteLimitOverride": PLATFORM_ON_COMPANY,
    },
    "scanmesh.ratelimit.v1.RateLimitService": {
        "Spend": INTERNAL,
        "SpendMany": INTERNAL,
        "Refund": INTERNAL,
    },
    "scanmesh.enrichment.v1.EnrichmentService": {
        "GetEnrichment": QUERY_OR_OWN_SCANS,
        "ParseBarcode": SCANNER_OR_OPERATOR,
    },
    "scanmesh.billing.v1.BillingService": {
        "ListPlans": ANYONE,
        "GetSubscription": READ,
        "UpdateSubscription": PLATFORM_ON_COMPANY,
        "GetUsage": READ,
        "PreviewInvoice": READ,
    },
    "scanmesh.billing.v1.UsageService": {"GetLedgerTotal": INTERNAL},
    "grpc.health.v1.Health": {"Check": ANYONE, "Watch": ANYONE, "List": ANYONE},
    "grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": INTERNAL},
}

RULES: dict[str, Rule] = {
    f"/{service}/{rpc}": rule for service, rpcs in _TABLE.items() for rpc, rule in rpcs.items()
}
"""Full method name → rule."""

"""The directory: which companies and scanners there are, as auth says, asked in the caller's own name."""

from __future__ import annotations

from uuid import UUID

from scanmesh.auth.v1 import auth_pb2, auth_pb2_grpc

from services.chassis import clients
from services.ratelimit.limits import BY_SCANNER_TYPE

_PREFIX = "SCANNER_TYPE_"
_TYPES = {
    auth_pb2.ScannerType.Value(f"{_PREFIX}{scanner_type.upper()}"): scanner_type
    for scanner_type in BY_SCANNER_TYPE
}


class Directory:
    """Asks auth."""

    def __init__(
        self,
        companies: auth_pb2_grpc.CompanyServiceAsyncStub,
        scanners: auth_pb2_grpc.ScannerServiceAsyncStub,
    ) -> None:
        self._companies = companies
        self._scanners = scanners

    async def require_company(self, company_id: int) -> None:
        """Return if there is such a company.

        Raises:
            NotFound: there is none.
            Unavailable: auth is away.
        """
        request = auth_pb2.GetCompanyRequest(company_id=company_id)
        await self._companies.GetCompany(request, metadata=clients.as_caller())

    async def scanner_type(self, company_id: int, scanner_id: UUID) -> str:
        """Answer the type of a company's scanner, lower_snake; empty for one that has no default of its own.

        Raises:
            NotFound: the company has no such scanner.
            Unavailable: auth is away.
        """
        request = auth_pb2.GetScannerRequest(company_id=company_id, scanner_id=str(scanner_id))
        answer = await self._scanners.GetScanner(request, metadata=clients.as_caller())
        return _TYPES.get(answer.scanner.type, "")

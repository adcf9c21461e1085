"""CompanyService: the RPCs about companies."""

from __future__ import annotations

from typing import Any

from scanmesh.auth.v1 import auth_pb2, auth_pb2_grpc

from services.auth import companies, wire
from services.auth.companies import Company
from services.auth.control import Control
from services.auth.store_company import CompanyStore
from services.chassis import identity, masks, paging
from services.chassis.clock import Clock
from services.chassis.fields import Problems

_LISTING = "companies"
_ON_CREATE = ("allowed_cidrs", "display_name", "region")
_ENUMS: dict[str, wire.Closed[Any]] = {"status": wire.COMPANY_STATUS}


class CompanyServicer(auth_pb2_grpc.CompanyServiceServicer):
    """Creates companies and changes them; a suspended one is refused everywhere a second after the answer."""

    def __init__(self, store: CompanyStore, control: Control, *, region: str, clock: Clock) -> None:
        self._store = store
        self._control = control
        self._region = region
        self._trail = wire.Trail("CompanyService", clock)

    async def CreateCompany(
        self, request: auth_pb2.CreateCompanyRequest, context: Any
    ) -> auth_pb2.CreateCompanyResponse:
        values = _parse_new(request.company, self._region)
        company = await self._store.create(values, self._trail.entry("CreateCompany", values))
        self._control.wake()
        return auth_pb2.CreateCompanyResponse(company=_render(company))

    async def GetCompany(
        self, request: auth_pb2.GetCompanyRequest, context: Any
    ) -> auth_pb2.GetCompanyResponse:
        company = await self._store.get(identity.caller().company_id)
        return auth_pb2.GetCompanyResponse(company=_render(company))

    async def ListCompanies(
        self, request: auth_pb2.ListCompaniesRequest, context: Any
    ) -> auth_pb2.ListCompaniesResponse:
        page = paging.parse(request.page_size, request.page_token, listing=_LISTING, key=companies.read_id)
        listed, more = paging.cut(await self._store.list(page), page)
        return auth_pb2.ListCompaniesResponse(
            companies=map(_render, listed),
            next_page_token=paging.token(_LISTING, listed[-1].company_id) if more else "",
        )

    async def UpdateCompany(
        self, request: auth_pb2.UpdateCompanyRequest, context: Any
    ) -> auth_pb2.UpdateCompanyResponse:
        caller = identity.caller()
        values = _parse_update(request)
        companies.authorise_update(caller.identity.role, values)
        entry = self._trail.entry("UpdateCompany", values)
        company = await self._store.update(caller.company_id, values, entry)
        if companies.CREDENTIAL_FIELDS.intersection(values):
            await self._control.settle(caller.company_id)
        return auth_pb2.UpdateCompanyResponse(company=_render(company))


def _parse_new(company: auth_pb2.Company, region: str) -> dict[str, Any]:
    problems = Problems()
    values = wire.read(problems, company, _ON_CREATE, {})
    values["region"] = values["region"] or region
    companies.check(problems.within("company"), values)
    problems.raise_any()
    return companies.normal(values)


def _parse_update(request: auth_pb2.UpdateCompanyRequest) -> dict[str, Any]:
    problems = Problems()
    names = masks.fields(problems, request.update_mask, request.company, companies.MUTABLE)
    values = wire.read(problems.within("company"), request.company, names, _ENUMS)
    companies.check(problems.within("company"), values)
    problems.raise_any()
    return companies.normal(values)


def _render(company: Company) -> auth_pb2.Company:
    return auth_pb2.Company(
        company_id=company.company_id,
        display_name=company.display_name,
        status=wire.COMPANY_STATUS.write(company.status),
        region=company.region,
        allowed_cidrs=company.allowed_cidrs,
        create_time=wire.timestamp(company.create_time),
    )

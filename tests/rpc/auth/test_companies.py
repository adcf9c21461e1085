from __future__ import annotations

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from scanmesh.auth.v1 import auth_pb2

from services.chassis.errors import InvalidArgument, NotFound, PermissionDenied
from services.chassis.identity import Role
from tests.rpc.auth.replica import failure


def update(company_id, *paths, **fields):
    return auth_pb2.UpdateCompanyRequest(
        company_id=company_id, company=auth_pb2.Company(**fields), update_mask=FieldMask(paths=paths)
    )


async def test_a_company_is_created_active_in_the_region_of_the_mesh(auth):
    company_id = await auth.company(display_name="Acme")
    got = await auth.companies.GetCompany(auth_pb2.GetCompanyRequest(company_id=company_id), **auth.platform)
    assert got.company.display_name == "Acme"
    assert got.company.status == auth_pb2.COMPANY_STATUS_ACTIVE
    assert got.company.region == "local"
    assert got.company.create_time.seconds > 0


async def test_what_the_server_sets_is_ignored_in_a_new_company(auth):
    company = auth_pb2.Company(
        company_id=77, display_name="Acme", status=auth_pb2.COMPANY_STATUS_SUSPENDED, region="eu_1"
    )
    made = await auth.companies.CreateCompany(auth_pb2.CreateCompanyRequest(company=company), **auth.platform)
    assert made.company.status == auth_pb2.COMPANY_STATUS_ACTIVE
    assert made.company.region == "eu_1"


async def test_every_violation_of_a_new_company_is_told_at_once(auth):
    company = auth_pb2.Company(region="Not Snake", allowed_cidrs=["10.0.0.0/8", "10.0.0.1/8"])
    error = await failure(
        auth.companies.CreateCompany(auth_pb2.CreateCompanyRequest(company=company), **auth.platform)
    )
    assert isinstance(error, InvalidArgument)
    assert {violation.field for violation in error.violations} == {
        "company.display_name",
        "company.region",
        "company.allowed_cidrs[1]",
    }


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMIN, Role.SCANNER])
async def test_only_platform_admins_create_and_list_companies(auth, role):
    company_id = await auth.company()
    create = auth.companies.CreateCompany(
        auth_pb2.CreateCompanyRequest(company=auth_pb2.Company(display_name="Mine")),
        **auth.as_(role, company_id),
    )
    assert isinstance(await failure(create), PermissionDenied)
    listed = auth.companies.ListCompanies(auth_pb2.ListCompaniesRequest(), **auth.as_(role, company_id))
    assert isinstance(await failure(listed), PermissionDenied)


async def test_a_viewer_reads_its_own_company_and_no_other(auth):
    mine, other = await auth.company(), await auth.company()
    viewer = auth.as_(Role.VIEWER, mine)
    got = await auth.companies.GetCompany(auth_pb2.GetCompanyRequest(company_id=mine), **viewer)
    assert got.company.company_id == mine
    error = await failure(auth.companies.GetCompany(auth_pb2.GetCompanyRequest(company_id=other), **viewer))
    assert isinstance(error, PermissionDenied)


async def test_a_company_that_is_not_there_is_not_found(auth):
    for call in (
        auth.companies.GetCompany(auth_pb2.GetCompanyRequest(company_id=2**31 - 1), **auth.platform),
        auth.companies.UpdateCompany(update(2**31 - 1, display_name="x"), **auth.platform),
        auth.scanner(2**31 - 1),
        auth.user(2**31 - 1),
    ):
        assert isinstance(await failure(call), NotFound)


async def test_an_admin_changes_name_and_networks_of_its_company(auth):
    company_id = await auth.company()
    admin = auth.as_(Role.ADMIN, company_id)
    changed = await auth.companies.UpdateCompany(
        update(company_id, display_name="New", allowed_cidrs=["10.0.0.0/8"]), **admin
    )
    assert changed.company.display_name == "New"
    assert list(changed.company.allowed_cidrs) == ["10.0.0.0/8"]
    alone = await auth.companies.UpdateCompany(update(company_id, allowed_cidrs=["192.0.2.1"]), **admin)
    assert list(alone.company.allowed_cidrs) == ["192.0.2.1/32"]
    cleared = await auth.companies.UpdateCompany(update(company_id, "allowed_cidrs"), **admin)
    assert list(cleared.company.allowed_cidrs) == []
    assert cleared.company.display_name == "New"


@pytest.mark.parametrize("fields", [{"status": auth_pb2.COMPANY_STATUS_SUSPENDED}, {"region": "elsewhere"}])
async def test_status_and_region_are_the_platforms_to_change(auth, fields):
    company_id = await auth.company()
    error = await failure(
        auth.companies.UpdateCompany(update(company_id, **fields), **auth.as_(Role.ADMIN, company_id))
    )
    assert isinstance(error, PermissionDenied)
    changed = await auth.companies.UpdateCompany(update(company_id, **fields), **auth.platform)
    (name, value) = next(iter(fields.items()))
    assert getattr(changed.company, name) == value


async def test_a_mask_names_only_what_may_be_changed(auth):
    company_id = await auth.company()
    error = await failure(
        auth.companies.UpdateCompany(
            update(company_id, "company_id", "colour", "display_name", display_name=""), **auth.platform
        )
    )
    assert [violation.field for violation in error.violations] == [
        "update_mask",
        "update_mask",
        "company.display_name",
    ]


async def test_an_update_that_changes_nothing_answers_the_company(auth):
    company_id = await auth.company()
    changed = await auth.companies.UpdateCompany(update(company_id, "status"), **auth.platform)
    assert changed.company.status == auth_pb2.COMPANY_STATUS_ACTIVE


async def test_companies_are_listed_newest_first_and_new_ones_shift_no_page(auth):
    first, second, third = [await auth.company() for _ in range(3)]
    page = await auth.companies.ListCompanies(auth_pb2.ListCompaniesRequest(page_size=2), **auth.platform)
    assert [company.company_id for company in page.companies] == [third, second]
    await auth.company()
    rest = await auth.companies.ListCompanies(
        auth_pb2.ListCompaniesRequest(page_size=1, page_token=page.next_page_token), **auth.platform
    )
    assert [company.company_id for company in rest.companies] == [first]


@pytest.mark.parametrize("request_", [{"page_size": -1}, {"page_token": "nonsense"}, {"page_token": "%"}])
async def test_a_page_that_nobody_gave_out_is_refused(auth, request_):
    error = await failure(
        auth.companies.ListCompanies(auth_pb2.ListCompaniesRequest(**request_), **auth.platform)
    )
    assert [violation.field for violation in error.violations] == list(request_)


async def test_a_call_without_identity_is_refused(auth):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await auth.companies.GetCompany(auth_pb2.GetCompanyRequest(company_id=1))
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED

from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from scanmesh.auth.v1 import auth_pb2

from services.chassis.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from services.chassis.identity import Role
from services.chassis.subjects import API_KEYS_REVOKED, SCANNER_CHANGED
from tests.rpc.auth.replica import denied, failure

NOBODY = "0193a7c5-0000-7000-8000-00000000abcd"


def named(request, company_id, scanner_id, **fields):
    return request(company_id=company_id, scanner_id=scanner_id, **fields)


async def test_a_registered_scanner_is_let_in_with_its_key(auth):
    company_id = await auth.company(region="eu_1")
    made = await auth.scanner(company_id)
    assert made.scanner.status == auth_pb2.SCANNER_STATUS_ACTIVE
    assert made.scanner.region == "eu_1"
    assert made.api_key.startswith(f"kmp_scanner_{company_id}_")
    who = await auth.identity_of(x_api_key=made.api_key)
    assert (who.company_id, who.subject, who.role) == (company_id, made.scanner.scanner_id, Role.SCANNER)
    assert (who.lane, who.region, who.session_id) == ("", "eu_1", "")  # no plan was told


async def test_every_violation_of_a_new_scanner_is_told_at_once(auth):
    company_id = await auth.company()
    scanner = auth_pb2.Scanner(
        display_name="a\0b", location="x" * 257, firmware_version="v" * 65, region="EU"
    )
    error = await failure(
        auth.scanners.RegisterScanner(
            auth_pb2.RegisterScannerRequest(company_id=company_id, scanner=scanner), **auth.platform
        )
    )
    assert isinstance(error, InvalidArgument)
    assert {violation.field for violation in error.violations} == {
        "scanner.display_name",
        "scanner.location",
        "scanner.firmware_version",
        "scanner.region",
        "scanner.type",
    }


async def test_viewers_read_scanners_and_change_none(auth):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    viewer = auth.as_(Role.VIEWER, company_id)
    scanner_id = made.scanner.scanner_id
    got = await auth.scanners.GetScanner(named(auth_pb2.GetScannerRequest, company_id, scanner_id), **viewer)
    assert got.scanner == made.scanner
    for call in (
        auth.scanners.DeleteScanner(named(auth_pb2.DeleteScannerRequest, company_id, scanner_id), **viewer),
        auth.scanners.RotateApiKey(named(auth_pb2.RotateApiKeyRequest, company_id, scanner_id), **viewer),
        auth.scanners.ListApiKeys(named(auth_pb2.ListApiKeysRequest, company_id, scanner_id), **viewer),
    ):
        assert isinstance(await failure(call), PermissionDenied)


@pytest.mark.parametrize("scanner_id", ["", "nonsense", NOBODY, NOBODY.upper()])
async def test_an_id_that_is_no_scanners_is_not_found(auth, scanner_id):
    company_id = await auth.company()
    for call in (
        auth.scanners.GetScanner(named(auth_pb2.GetScannerRequest, company_id, scanner_id), **auth.platform),
        auth.scanners.UpdateScanner(
            named(auth_pb2.UpdateScannerRequest, company_id, scanner_id), **auth.platform
        ),
        auth.scanners.DeleteScanner(
            named(auth_pb2.DeleteScannerRequest, company_id, scanner_id), **auth.platform
        ),
        auth.scanners.RotateApiKey(
            named(auth_pb2.RotateApiKeyRequest, company_id, scanner_id), **auth.platform
        ),
        auth.scanners.RevokeApiKeys(
            named(auth_pb2.RevokeApiKeysRequest, company_id, scanner_id), **auth.platform
        ),
        auth.scanners.ListApiKeys(
            named(auth_pb2.ListApiKeysRequest, company_id, scanner_id), **auth.platform
        ),
    ):
        assert isinstance(await failure(call), NotFound)


async def test_another_companys_scanner_is_not_found(auth):
    mine, other = await auth.company(), await auth.company()
    made = await auth.scanner(other)
    admin = auth.as_(Role.ADMIN, mine)
    for call in (
        auth.scanners.GetScanner(named(auth_pb2.GetScannerRequest, mine, made.scanner.scanner_id), **admin),
        auth.scanners.DeleteScanner(
            named(auth_pb2.DeleteScannerRequest, mine, made.scanner.scanner_id), **admin
        ),
    ):
        assert isinstance(await failure(call), NotFound)
    assert await auth.admits(made.api_key)


async def test_a_scanner_is_updated_by_mask_or_by_what_is_set(auth):
    company_id = await auth.company()
    made = await auth.scanner(company_id, location="Hall 3")
    request = named(
        auth_pb2.UpdateScannerRequest,
        company_id,
        made.scanner.scanner_id,
        scanner=auth_pb2.Scanner(display_name="Gate 2", location="ignored"),
        update_mask=FieldMask(paths=["display_name"]),
    )
    masked = await auth.scanners.UpdateScanner(request, **auth.platform)
    assert (masked.scanner.display_name, masked.scanner.location) == ("Gate 2", "Hall 3")
    request.ClearField("update_mask")
    request.scanner.CopyFrom(auth_pb2.Scanner(scanner_id="other", firmware_version="2.0"))
    unmasked = await auth.scanners.UpdateScanner(request, **auth.platform)
    assert (unmasked.scanner.display_name, unmasked.scanner.firmware_version) == ("Gate 2", "2.0")
    assert unmasked.scanner.scanner_id == made.scanner.scanner_id


async def test_a_disabled_scanner_is_refused_until_it_is_active_again(auth):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    assert await auth.admits(made.api_key)
    request = named(auth_pb2.UpdateScannerRequest, company_id, made.scanner.scanner_id)
    request.scanner.status = auth_pb2.SCANNER_STATUS_DISABLED
    await auth.scanners.UpdateScanner(request, **auth.platform)
    assert not await auth.admits(made.api_key)
    request.scanner.status = auth_pb2.SCANNER_STATUS_ACTIVE
    await auth.scanners.UpdateScanner(request, **auth.platform)
    assert await auth.admits(made.api_key)


async def test_a_deleted_scanner_is_refused_and_not_found(auth, bus):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    kept = await auth.scanner(company_id)
    assert await auth.admits(made.api_key)
    request = named(auth_pb2.DeleteScannerRequest, company_id, made.scanner.scanner_id)
    await auth.scanners.DeleteScanner(request, **auth.platform)
    assert not await auth.admits(made.api_key)
    assert isinstance(await failure(auth.scanners.DeleteScanner(request, **auth.platform)), NotFound)
    assert {event.subject for event in bus.published()} >= {SCANNER_CHANGED, API_KEYS_REVOKED}
    listed = await auth.scanners.ListScanners(
        auth_pb2.ListScannersRequest(company_id=company_id), **auth.platform
    )
    assert [scanner.scanner_id for scanner in listed.scanners] == [kept.scanner.scanner_id]


async def test_scanners_are_listed_in_pages_newest_first(auth):
    company_id = await auth.company()
    ids = [(await auth.scanner(company_id)).scanner.scanner_id for _ in range(3)]
    request = auth_pb2.ListScannersRequest(company_id=company_id, page_size=2)
    first = await auth.scanners.ListScanners(request, **auth.platform)
    request.page_token = first.next_page_token
    last = await auth.scanners.ListScanners(request, **auth.platform)
    listed = [scanner.scanner_id for scanner in (*first.scanners, *last.scanners)]
    assert listed == sorted(ids, reverse=True)
    assert last.next_page_token == ""


async def test_a_token_of_another_list_is_refused(auth):
    company_id = await auth.company()
    for _ in range(2):
        await auth.scanner(company_id)
    page = await auth.scanners.ListScanners(
        auth_pb2.ListScannersRequest(company_id=company_id, page_size=1), **auth.platform
    )
    error = await failure(
        auth.users.ListUsers(
            auth_pb2.ListUsersRequest(company_id=company_id, page_token=page.next_page_token),
            **auth.platform,
        )
    )
    assert [violation.field for violation in error.violations] == ["page_token"]


async def test_a_rotation_without_overlap_ends_the_old_keys_now(auth, clock):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    assert await auth.admits(made.api_key)
    rotated = await auth.scanners.RotateApiKey(
        named(auth_pb2.RotateApiKeyRequest, company_id, made.scanner.scanner_id), **auth.platform
    )
    assert not await auth.admits(made.api_key)
    assert await auth.admits(rotated.api_key)
    assert rotated.previous_expire_time.ToDatetime(tzinfo=clock().tzinfo) == clock()


async def test_a_rotation_with_overlap_ends_cached_keys_on_time(auth, bus, clock, site):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    assert await auth.admits(made.api_key)  # cached without an end
    request = named(
        auth_pb2.RotateApiKeyRequest, company_id, made.scanner.scanner_id, overlap=Duration(seconds=60)
    )
    rotated = await auth.scanners.RotateApiKey(request, **auth.platform)
    assert await auth.admits(made.api_key)  # cached with its end
    assert await auth.admits(rotated.api_key)
    site.postgres.stop()  # from here on memory alone answers
    try:
        clock.advance(timedelta(seconds=59))
        await bus.beaten(clock)
        assert await auth.admits(made.api_key)
        clock.advance(timedelta(seconds=1))
        assert denied(await auth.check(x_api_key=made.api_key)) == (401, "CREDENTIALS_INVALID")
        assert await auth.admits(rotated.api_key)
    finally:
        site.postgres.start()


async def test_a_second_rotation_never_lengthens_a_keys_life(auth, clock):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    request = named(
        auth_pb2.RotateApiKeyRequest, company_id, made.scanner.scanner_id, overlap=Duration(seconds=60)
    )
    await auth.scanners.RotateApiKey(request, **auth.platform)
    request.overlap.seconds = 3600
    await auth.scanners.RotateApiKey(request, **auth.platform)
    clock.advance(timedelta(seconds=61))
    assert not await auth.admits(made.api_key)


@pytest.mark.parametrize(
    "overlap", [Duration(seconds=-1), Duration(seconds=30 * 86_400 + 1), Duration(seconds=2**62)]
)
async def test_an_overlap_out_of_range_is_refused(auth, overlap):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    error = await failure(
        auth.scanners.RotateApiKey(
            named(auth_pb2.RotateApiKeyRequest, company_id, made.scanner.scanner_id, overlap=overlap),
            **auth.platform,
        )
    )
    assert [violation.field for violation in error.violations] == ["overlap"]
    assert await auth.admits(made.api_key)


async def test_all_keys_are_revoked_and_counted_and_can_be_made_anew(auth):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    scanner = named(
        auth_pb2.RotateApiKeyRequest, company_id, made.scanner.scanner_id, overlap=Duration(seconds=60)
    )
    second = await auth.scanners.RotateApiKey(scanner, **auth.platform)
    revoke = named(auth_pb2.RevokeApiKeysRequest, company_id, made.scanner.scanner_id)
    assert (await auth.scanners.RevokeApiKeys(revoke, **auth.platform)).revoked_count == 2
    assert not await auth.admits(made.api_key)
    assert not await auth.admits(second.api_key)
    assert (await auth.scanners.RevokeApiKeys(revoke, **auth.platform)).revoked_count == 0
    third = await auth.scanners.RotateApiKey(scanner, **auth.platform)
    assert await auth.admits(third.api_key)


async def test_keys_are_listed_without_their_secrets(auth, clock):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    request = named(
        auth_pb2.RotateApiKeyRequest, company_id, made.scanner.scanner_id, overlap=Duration(seconds=60)
    )
    rotated = await auth.scanners.RotateApiKey(request, **auth.platform)
    listed = await auth.scanners.ListApiKeys(
        named(auth_pb2.ListApiKeysRequest, company_id, made.scanner.scanner_id), **auth.platform
    )
    new, old = listed.api_keys
    assert not new.HasField("expire_time")
    assert old.expire_time.ToDatetime(tzinfo=clock().tzinfo) == clock() + timedelta(seconds=60)
    assert new.key_id not in rotated.api_key
    assert new.key_id == (await auth.identity_of(x_api_key=rotated.api_key)).key_id


async def test_scanners_may_not_manage_scanners(auth):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    error = await failure(
        auth.scanners.GetScanner(
            named(auth_pb2.GetScannerRequest, company_id, made.scanner.scanner_id),
            **auth.as_(Role.SCANNER, company_id),
        )
    )
    assert isinstance(error, PermissionDenied)


async def test_a_token_for_the_edge_is_no_identity_for_a_service(auth):
    company_id = await auth.company()
    user = await auth.user(company_id)
    signed_in = await auth.sign_in(user.email)
    error = await failure(
        auth.scanners.ListScanners(
            auth_pb2.ListScannersRequest(company_id=company_id),
            metadata=(("x-scanmesh-identity", signed_in.access_token),),
        )
    )
    assert isinstance(error, Unauthenticated)


async def test_a_scanners_last_call_is_told_when_its_replica_has_written_it(auth, start, site, clock):
    company_id = await auth.company()
    made = await auth.scanner(company_id)
    assert await auth.admits(made.api_key)
    assert not made.scanner.HasField("last_seen_time")
    await auth.stop()  # what a stopping replica remembers, it writes
    other = await start()
    request = named(auth_pb2.GetScannerRequest, company_id, made.scanner.scanner_id)
    got = await other.scanners.GetScanner(request, **other.platform)
    assert got.scanner.last_seen_time.ToDatetime(tzinfo=clock().tzinfo) == clock()

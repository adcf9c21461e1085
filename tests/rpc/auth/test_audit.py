from __future__ import annotations

from scanmesh.auth.v1 import auth_pb2

from services.auth import sessions
from services.chassis.errors import PermissionDenied
from services.chassis.identity import Role
from tests.rpc.auth.replica import failure


async def trail(auth, company_id, **page):
    return await auth.audit.ListAuditEvents(
        auth_pb2.ListAuditEventsRequest(company_id=company_id, **page), **auth.platform
    )


async def test_every_change_leaves_who_did_what_to_whom(auth, clock):
    company_id = await auth.company()
    user = await auth.user(company_id)
    admin = auth.as_(Role.ADMIN, company_id, subject=user.user_id)
    scanner = auth_pb2.Scanner(display_name="Gate 1", type=auth_pb2.SCANNER_TYPE_DOCK)
    made = await auth.scanners.RegisterScanner(
        auth_pb2.RegisterScannerRequest(company_id=company_id, scanner=scanner), **admin
    )
    scanner_id = made.scanner.scanner_id
    named = {"company_id": company_id, "scanner_id": scanner_id}
    await auth.scanners.UpdateScanner(
        auth_pb2.UpdateScannerRequest(**named, scanner=auth_pb2.Scanner(location="Hall 3")), **admin
    )
    await auth.scanners.RotateApiKey(auth_pb2.RotateApiKeyRequest(**named), **admin)
    await auth.scanners.RevokeApiKeys(auth_pb2.RevokeApiKeysRequest(**named), **admin)
    await auth.scanners.DeleteScanner(auth_pb2.DeleteScannerRequest(**named), **admin)
    await auth.sign_in(user.email)

    events = list((await trail(auth, company_id)).audit_events)
    assert [(event.method.rpartition("/")[2], event.resource_id) for event in reversed(events)] == [
        ("CreateCompany", str(company_id)),
        ("CreateUser", user.user_id),
        ("RegisterScanner", scanner_id),
        ("UpdateScanner", scanner_id),
        ("RotateApiKey", scanner_id),
        ("RevokeApiKeys", scanner_id),
        ("DeleteScanner", scanner_id),
        ("CreateSession", user.user_id),
    ]
    updated = events[4]
    assert updated.method == "scanmesh.auth.v1.ScannerService/UpdateScanner"
    assert (updated.user_id, updated.role, list(updated.fields)) == (
        user.user_id,
        auth_pb2.ROLE_ADMIN,
        ["location"],
    )
    assert updated.event_time.ToDatetime(tzinfo=clock().tzinfo) == clock()


async def test_the_end_of_a_session_whose_token_was_stolen_leaves_a_trace(auth, clock):
    company_id = await auth.company()
    user = await auth.user(company_id)
    session = await auth.sign_in(user.email)
    used = auth_pb2.RefreshSessionRequest(refresh_token=session.refresh_token)
    await auth.sessions.RefreshSession(used)
    clock.advance(sessions.GRACE)
    await failure(auth.sessions.RefreshSession(used))
    newest, before = (await trail(auth, company_id)).audit_events[:2]
    assert newest.method == "scanmesh.auth.v1.SessionService/RefreshSession"
    assert (newest.user_id, newest.role) == (user.user_id, auth_pb2.ROLE_ADMIN)
    assert before.method == "scanmesh.auth.v1.SessionService/CreateSession"  # a renewal is none


async def test_the_trail_is_paged_and_for_admins_of_the_company(auth):
    company_id = await auth.company()
    await auth.user(company_id)
    first = await trail(auth, company_id, page_size=1)
    rest = await trail(auth, company_id, page_size=1, page_token=first.next_page_token)
    assert [event.method.rpartition("/")[2] for event in (*first.audit_events, *rest.audit_events)] == [
        "CreateUser",
        "CreateCompany",
    ]
    error = await failure(
        auth.audit.ListAuditEvents(
            auth_pb2.ListAuditEventsRequest(company_id=company_id), **auth.as_(Role.VIEWER, company_id)
        )
    )
    assert isinstance(error, PermissionDenied)


async def test_no_password_and_no_key_stands_in_the_trail(auth):
    company_id = await auth.company()
    user = await auth.user(company_id)
    made = await auth.scanner(company_id)
    text = str(await trail(auth, company_id))
    assert user.email not in text
    assert made.api_key.rpartition("_")[2] not in text
    assert "password" in text

from __future__ import annotations

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from scanmesh.auth.v1 import auth_pb2

from services.chassis.errors import AlreadyExists, InvalidArgument, NotFound, PermissionDenied
from services.chassis.identity import Role
from tests.rpc.auth.replica import PASSWORD, failure

NOBODY = "0193a7c5-0000-7000-8000-00000000abcd"


def update(user, *paths, **fields):
    return auth_pb2.UpdateUserRequest(
        company_id=user.company_id,
        user_id=user.user_id,
        user=auth_pb2.User(**fields),
        update_mask=FieldMask(paths=paths),
    )


async def test_a_user_is_created_active_and_its_password_never_answered(auth):
    company_id = await auth.company()
    user = await auth.user(company_id, auth_pb2.ROLE_VIEWER)
    assert (user.company_id, user.role) == (company_id, auth_pb2.ROLE_VIEWER)
    assert user.status == auth_pb2.USER_STATUS_ACTIVE
    assert user.password == ""


@pytest.mark.parametrize(
    ("fields", "violations"),
    [
        ({}, {"user.email", "user.role", "user.password"}),
        ({"email": "a@b", "role": auth_pb2.ROLE_VIEWER, "password": "x" * 11}, {"user.password"}),
        ({"email": "a@b", "role": auth_pb2.ROLE_VIEWER, "password": "ü" * 37}, {"user.password"}),
        ({"email": "a b@c", "role": auth_pb2.ROLE_VIEWER, "password": PASSWORD}, {"user.email"}),
        ({"email": "a@b", "role": auth_pb2.ROLE_PLATFORM_ADMIN, "password": PASSWORD}, {"user.role"}),
        ({"email": "a@b", "role": 99, "password": PASSWORD}, {"user.role"}),
    ],
)
async def test_every_violation_of_a_new_user_is_told_at_once(auth, fields, violations):
    company_id = await auth.company()
    error = await failure(
        auth.users.CreateUser(
            auth_pb2.CreateUserRequest(company_id=company_id, user=auth_pb2.User(**fields)), **auth.platform
        )
    )
    assert isinstance(error, InvalidArgument)
    assert {violation.field for violation in error.violations} == violations


async def test_an_email_is_taken_in_every_company_and_whatever_its_case(auth):
    user = await auth.user(await auth.company())
    again = auth_pb2.User(email=user.email.upper(), role=auth_pb2.ROLE_VIEWER, password=PASSWORD)
    error = await failure(
        auth.users.CreateUser(
            auth_pb2.CreateUserRequest(company_id=await auth.company(), user=again), **auth.platform
        )
    )
    assert isinstance(error, AlreadyExists)


async def test_users_are_for_admins_of_their_company(auth):
    company_id, other = await auth.company(), await auth.company()
    listing = auth_pb2.ListUsersRequest(company_id=company_id)
    for who in (auth.as_(Role.VIEWER, company_id), auth.as_(Role.ADMIN, other)):
        assert isinstance(await failure(auth.users.ListUsers(listing, **who)), PermissionDenied)


async def test_users_are_listed_in_pages_newest_first(auth):
    company_id = await auth.company()
    ids = [(await auth.user(company_id)).user_id for _ in range(2)]
    request = auth_pb2.ListUsersRequest(company_id=company_id, page_size=1)
    first = await auth.users.ListUsers(request, **auth.platform)
    request.page_token = first.next_page_token
    last = await auth.users.ListUsers(request, **auth.platform)
    assert [user.user_id for user in (*first.users, *last.users)] == sorted(ids, reverse=True)


async def test_a_change_of_role_takes_effect_on_the_next_call(auth):
    user = await auth.user(await auth.company(), auth_pb2.ROLE_VIEWER)
    session = await auth.sign_in(user.email)
    bearer = {"authorization": f"Bearer {session.access_token}"}
    assert (await auth.identity_of(**bearer)).role is Role.VIEWER
    await auth.users.UpdateUser(update(user, role=auth_pb2.ROLE_ADMIN), **auth.platform)
    assert (await auth.identity_of(**bearer)).role is Role.ADMIN


async def test_a_new_password_ends_the_sessions_and_is_the_one_to_sign_in_with(auth):
    user = await auth.user(await auth.company())
    session = await auth.sign_in(user.email)
    bearer = {"authorization": f"Bearer {session.access_token}"}
    assert await auth.identity_of(**bearer)
    await auth.users.UpdateUser(update(user, password="another long password"), **auth.platform)
    assert (await auth.check(**bearer)).status == 401
    await failure(auth.sign_in(user.email))
    assert (await auth.sign_in(user.email, "another long password")).access_token


async def test_a_disabled_user_is_out_and_may_sign_in_anew_when_active(auth):
    user = await auth.user(await auth.company())
    session = await auth.sign_in(user.email)
    bearer = {"authorization": f"Bearer {session.access_token}"}
    await auth.users.UpdateUser(update(user, status=auth_pb2.USER_STATUS_DISABLED), **auth.platform)
    assert (await auth.check(**bearer)).status == 401
    await failure(auth.sign_in(user.email))
    await auth.users.UpdateUser(update(user, status=auth_pb2.USER_STATUS_ACTIVE), **auth.platform)
    assert (await auth.check(**bearer)).status == 401
    assert await auth.sign_in(user.email)


async def test_an_email_is_fixed_and_a_role_of_the_platform_is_not_given(auth):
    user = await auth.user(await auth.company())
    error = await failure(
        auth.users.UpdateUser(
            update(user, "email", "role", email="b@c", role=auth_pb2.ROLE_PLATFORM_ADMIN), **auth.platform
        )
    )
    assert [violation.field for violation in error.violations] == ["update_mask", "user.role"]


@pytest.mark.parametrize("user_id", ["nonsense", NOBODY])
async def test_an_id_that_is_no_users_is_not_found(auth, user_id):
    user = auth_pb2.User(company_id=await auth.company(), user_id=user_id)
    error = await failure(auth.users.UpdateUser(update(user, role=auth_pb2.ROLE_ADMIN), **auth.platform))
    assert isinstance(error, NotFound)

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from scanmesh.auth.v1 import auth_pb2

from services.auth import sessions, tokens
from services.auth.passwords import Passwords
from services.chassis.errors import Reason, Unauthenticated
from services.chassis.identity import Role, Verifier
from tests.rpc.auth.replica import PASSWORD, denied, failure, running


def refresh(auth, token):
    return auth.sessions.RefreshSession(auth_pb2.RefreshSessionRequest(refresh_token=token))


def bearer(session):
    return {"authorization": f"Bearer {session.access_token}"}


async def test_an_operator_signs_in_and_is_let_in(auth):
    company_id = await auth.company()
    user = await auth.user(company_id)
    session = await auth.sign_in(user.email.upper())
    who = await auth.identity_of(**bearer(session))
    assert (who.company_id, who.subject, who.role, who.key_id) == (company_id, user.user_id, Role.ADMIN, "")
    assert who.session_id


async def test_a_wrong_password_and_an_unknown_email_are_told_alike(auth):
    user = await auth.user(await auth.company())
    wrong = await failure(auth.sign_in(user.email, "not the password"))
    unknown = await failure(auth.sign_in("nobody@example.com"))
    empty = await failure(auth.sign_in("", ""))
    too_long = await failure(auth.sign_in(user.email, PASSWORD + "x" * 72))
    for error in (wrong, unknown, empty, too_long):
        assert isinstance(error, Unauthenticated)
        assert (error.reason, error.message) == (Reason.CREDENTIALS_INVALID, wrong.message)


@pytest.mark.parametrize("email", ["a\0@example.com", "\0", "a\n@example.com", "x" * 100_000])
async def test_what_cannot_be_an_email_is_told_like_an_unknown_one_without_the_database(auth, site, email):
    unknown = await failure(auth.sign_in("nobody@example.com"))
    site.postgres.stop()
    try:
        error = await failure(auth.sign_in(email))
    finally:
        site.postgres.start()
    assert (type(error), error.reason, error.message) == (Unauthenticated, unknown.reason, unknown.message)


class HeldPasswords(Passwords):
    """Finds a password right or wrong, and says so only when it is let go on."""

    def __init__(self):
        super().__init__(cost=4)
        self.checked, self.go_on = asyncio.Event(), asyncio.Event()

    async def matches(self, password, hashed):
        found = await super().matches(password, hashed)
        self.checked.set()
        await self.go_on.wait()
        return found


async def test_a_password_that_is_changed_while_it_is_checked_lets_nobody_in(site, bus, plans, clock):
    with HeldPasswords() as passwords:
        async with running(site, bus, plans, passwords, clock) as auth:
            company_id = await auth.company()
            user = await auth.user(company_id)
            signing_in = asyncio.ensure_future(auth.sign_in(user.email))
            await passwords.checked.wait()
            change = auth_pb2.UpdateUserRequest(company_id=company_id, user_id=user.user_id)
            change.user.password = "another horse battery"
            await auth.users.UpdateUser(change, **auth.platform)
            passwords.go_on.set()
            assert (await failure(signing_in)).reason is Reason.CREDENTIALS_INVALID
            assert await auth.sign_in(user.email, "another horse battery")


async def test_a_suspended_company_is_told_so_to_who_knows_the_password_only(auth):
    company_id = await auth.company()
    user = await auth.user(company_id)
    session = await auth.sign_in(user.email)
    suspended = auth_pb2.Company(status=auth_pb2.COMPANY_STATUS_SUSPENDED)
    await auth.companies.UpdateCompany(
        auth_pb2.UpdateCompanyRequest(company_id=company_id, company=suspended), **auth.platform
    )
    assert (await failure(auth.sign_in(user.email))).reason is Reason.COMPANY_SUSPENDED
    assert (await failure(auth.sign_in(user.email, "wrong"))).reason is Reason.CREDENTIALS_INVALID
    assert (await failure(refresh(auth, session.refresh_token))).reason is Reason.COMPANY_SUSPENDED
    assert denied(await auth.check(**bearer(session))) == (403, "COMPANY_SUSPENDED")


async def test_an_access_token_expires_after_a_quarter_of_an_hour(auth, clock):
    user = await auth.user(await auth.company())
    session = await auth.sign_in(user.email)
    clock.advance(tokens.LIFETIME - timedelta(seconds=1))
    assert await auth.identity_of(**bearer(session))
    clock.advance(timedelta(seconds=1))
    assert denied(await auth.check(**bearer(session))) == (401, "TOKEN_EXPIRED")


async def test_a_session_is_renewed_and_goes_on(auth, clock):
    user = await auth.user(await auth.company())
    first = await auth.sign_in(user.email)
    clock.advance(timedelta(days=29))
    second = await refresh(auth, first.refresh_token)
    clock.advance(timedelta(days=29))
    third = await refresh(auth, second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert await auth.identity_of(**bearer(third))


async def test_a_session_that_is_not_renewed_ends(auth, clock):
    user = await auth.user(await auth.company())
    session = await auth.sign_in(user.email)
    clock.advance(sessions.LIFETIME)
    assert isinstance(await failure(refresh(auth, session.refresh_token)), Unauthenticated)


async def test_a_lost_answer_to_a_renewal_can_be_had_again(auth, clock):
    user = await auth.user(await auth.company())
    first = await auth.sign_in(user.email)
    second = await refresh(auth, first.refresh_token)
    clock.advance(sessions.GRACE - timedelta(seconds=1))
    again = await refresh(auth, first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert await refresh(auth, second.refresh_token)


async def test_two_renewals_at_once_get_the_same_answer(auth):
    user = await auth.user(await auth.company())
    session = await auth.sign_in(user.email)
    renewed = await asyncio.gather(*(refresh(auth, session.refresh_token) for _ in range(4)))
    (token,) = {answer.refresh_token for answer in renewed}
    assert await refresh(auth, token)


@pytest.mark.parametrize("renewals", [1, 2])
async def test_a_used_refresh_token_ends_the_session_for_both_who_hold_it(auth, clock, renewals):
    user = await auth.user(await auth.company())
    first = session = await auth.sign_in(user.email)
    for _ in range(renewals):
        session = await refresh(auth, session.refresh_token)
    clock.advance(sessions.GRACE)
    assert await auth.identity_of(**bearer(session))
    assert isinstance(await failure(refresh(auth, first.refresh_token)), Unauthenticated)
    assert denied(await auth.check(**bearer(session))) == (401, "CREDENTIALS_INVALID")
    assert isinstance(await failure(refresh(auth, session.refresh_token)), Unauthenticated)


async def test_a_forged_refresh_token_is_refused_and_harms_nobody(auth):
    user = await auth.user(await auth.company())
    session = await auth.sign_in(user.email)
    forged = session.refresh_token[:-43] + "A" * 43
    for token in (forged, "", "kmr_", session.access_token, session.refresh_token + "x"):
        assert isinstance(await failure(refresh(auth, token)), Unauthenticated)
    assert await refresh(auth, session.refresh_token)


async def test_who_signs_out_is_out(auth):
    user = await auth.user(await auth.company())
    session, other = await auth.sign_in(user.email), await auth.sign_in(user.email)
    who = await auth.identity_of(**bearer(session))
    call = auth.as_(who.role, who.company_id, subject=who.subject, session_id=who.session_id)
    await auth.sessions.DeleteSession(auth_pb2.DeleteSessionRequest(), **call)
    assert denied(await auth.check(**bearer(session))) == (401, "CREDENTIALS_INVALID")
    assert isinstance(await failure(refresh(auth, session.refresh_token)), Unauthenticated)
    assert await auth.identity_of(**bearer(other))


async def test_the_keys_are_public_and_verify_what_auth_signs(auth, clock):
    body = await auth.sessions.GetJwks(auth_pb2.GetJwksRequest())
    assert body.content_type == "application/json"
    jwks = json.loads(body.data)
    assert all("d" not in key for key in jwks["keys"])
    user = await auth.user(await auth.company())
    session = await auth.sign_in(user.email)
    claims = Verifier.from_jwks(jwks).claims(session.access_token, tokens.AUDIENCE)
    assert claims["sub"] == user.user_id

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.auth.credentials import decode, encode
from services.chassis.errors import MeshError, Reason
from services.chassis.identity import Role
from services.chassis.subjects import Lane


def refusal(credential, clock, address="192.0.2.1"):
    try:
        credential.admit(address, clock())
    except MeshError as error:
        return error.reason
    return None


def test_a_good_credential_is_let_in(credential, clock):
    assert refusal(credential, clock) is None
    assert refusal(replace(credential, expire_time=clock() + timedelta(seconds=1)), clock) is None


def test_a_credential_is_refused_for_what_is_wrong_with_it(credential, clock):
    assert refusal(replace(credential, holder_active=False), clock) is Reason.CREDENTIALS_INVALID
    assert refusal(replace(credential, expire_time=clock()), clock) is Reason.CREDENTIALS_INVALID
    assert refusal(replace(credential, company_active=False), clock) is Reason.COMPANY_SUSPENDED


def test_a_key_that_has_ended_learns_nothing_of_its_company(credential, clock):
    ended = replace(credential, company_active=False, expire_time=clock())
    assert refusal(ended, clock) is Reason.CREDENTIALS_INVALID


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::1", True),
        ("11.1.2.3", False),
        ("2001:db9::1", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_an_address_must_be_in_the_companys_networks(credential, clock, address, allowed):
    bound = replace(credential, allowed_cidrs=("10.0.0.0/8", "2001:db8::/32"))
    assert refusal(bound, clock, address) is (None if allowed else Reason.ADDRESS_NOT_ALLOWED)


def test_a_record_is_read_as_it_was_written(credential, clock):
    for record in (
        credential,
        replace(credential, role=Role.ADMIN, expire_time=clock(), allowed_cidrs=("10.0.0.0/8",)),
    ):
        assert decode(encode(record)) == record


@pytest.mark.parametrize("data", [b"", b"nonsense", b'{"form":1}', b'{"form":3}', b"{}"])
def test_what_another_version_wrote_is_not_read(data):
    assert decode(data) is None


def test_a_device_is_known_by_its_key_and_an_operator_by_its_session(credential):
    device = credential.identity(Lane.PREMIUM)
    assert (device.key_id, device.session_id) == ("key-1", "")
    assert (device.lane, device.scanner_type) == ("premium", "dock")
    operator = replace(credential, role=Role.VIEWER).identity(Lane.PREMIUM)
    assert (operator.key_id, operator.session_id) == ("", "key-1")


@pytest.mark.parametrize("row", ["company_revision", "holder_revision", "revision"])
def test_a_record_with_any_newer_row_is_newer(credential, row):
    assert replace(credential, **{row: getattr(credential, row) + 1}).age > credential.age

from __future__ import annotations

import pytest

from services.auth import companies, scanners, users
from services.chassis.errors import InvalidArgument
from services.chassis.fields import Problems
from services.chassis.identity import Role


def violations(check, values):
    problems = Problems()
    check(problems, values)
    try:
        problems.raise_any()
    except InvalidArgument as error:
        return [violation.field for violation in error.violations]
    return []


@pytest.mark.parametrize(
    ("check", "values"),
    [
        (companies.check, {"display_name": "x"}),
        (companies.check, {"display_name": "ü" * 256, "region": "eu_west_1"}),
        (companies.check, {"allowed_cidrs": ("10.0.0.0/8", "2001:db8::/32", "192.0.2.1")}),
        (companies.check, {}),
        (scanners.check, {"location": "", "firmware_version": "v" * 64}),
        (users.check, {"email": "a@b", "role": Role.VIEWER, "password": "x" * 12}),
        (users.check, {"password": "ü" * 36}),
    ],
)
def test_what_may_be_stored_is_taken(check, values):
    assert violations(check, values) == []


@pytest.mark.parametrize(
    ("check", "values", "fields"),
    [
        (companies.check, {"display_name": ""}, ["display_name"]),
        (companies.check, {"display_name": "x" * 257}, ["display_name"]),
        (companies.check, {"display_name": "a\0"}, ["display_name"]),
        (companies.check, {"region": "EU"}, ["region"]),
        (companies.check, {"region": "_eu"}, ["region"]),
        (companies.check, {"region": "r" * 65}, ["region"]),
        (companies.check, {"allowed_cidrs": ("10.0.0.1/8",)}, ["allowed_cidrs[0]"]),
        (companies.check, {"allowed_cidrs": ("10.0.0.0/8", "x")}, ["allowed_cidrs[1]"]),
        (
            companies.check,
            {"allowed_cidrs": ("fe80::1%eth0", "fe80::%\0/64")},
            ["allowed_cidrs[0]", "allowed_cidrs[1]"],
        ),
        (companies.check, {"allowed_cidrs": ("10.0.0.0/8",) * 257}, ["allowed_cidrs"]),
        (
            scanners.check,
            {"location": "x" * 257, "firmware_version": "v" * 65},
            ["location", "firmware_version"],
        ),
        (users.check, {"email": "a"}, ["email"]),
        (users.check, {"email": "a@"}, ["email"]),
        (users.check, {"email": "a\n@b"}, ["email"]),
        (users.check, {"email": "a@b@c"}, ["email"]),
        (users.check, {"role": Role.PLATFORM_ADMIN}, ["role"]),
        (users.check, {"role": Role.SCANNER}, ["role"]),
        (users.check, {"password": "x" * 11}, ["password"]),
        (users.check, {"password": "x" * 73}, ["password"]),
        (users.check, {"password": "ü" * 37}, ["password"]),
        (users.check, {"password": "x" * 12 + "\0"}, ["password"]),
    ],
)
def test_what_may_not_be_stored_is_refused(check, values, fields):
    assert violations(check, values) == fields


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.1", "192.0.2.1/32"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("2001:DB8:0::/32", "2001:db8::/32"),
    ],
)
def test_networks_are_stored_in_cidr_form(given, stored):
    values = {"display_name": "Acme", "allowed_cidrs": (given,)}
    assert companies.normal(values) == {"display_name": "Acme", "allowed_cidrs": (stored,)}


def test_an_update_without_networks_stores_none():
    assert companies.normal({"display_name": "Acme"}) == {"display_name": "Acme"}


@pytest.mark.parametrize(
    ("text", "may_be"),
    [("a@b", True), ("", False), ("a\0@x", False), ("a@x\n", False), ("a" * 65 + "@b", False)],
)
def test_what_cannot_be_an_email_is_told(text, may_be):
    assert users.is_email(text) is may_be

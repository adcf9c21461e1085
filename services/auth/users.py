"""Users: the people who operate a company, or the platform. One email is one user, in the whole mesh."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from services.chassis.errors import AlreadyExists, NotFound
from services.chassis.fields import Problems
from services.chassis.identity import Role

MUTABLE = frozenset({"role", "status", "password"})
GRANTABLE = frozenset({Role.VIEWER, Role.ADMIN})
"""The roles that can be given by an RPC; platform admins are made by `bootstrap` alone."""
MIN_PASSWORD_BYTES = 12
MAX_PASSWORD_BYTES = 72
"""bcrypt reads no more of a password than this: a longer one would be cut without a word."""
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,189}")


class Status(StrEnum):
    """Whether a user may sign in."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class User:
    """A user as stored, without the password's hash."""

    company_id: int
    """`identity.PLATFORM` for platform admins."""
    user_id: UUID
    email: str
    role: Role
    status: Status
    create_time: datetime


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be stored."""

    company_id: int
    email: str
    role: Role
    password_hash: str = field(repr=False)


class UserNotFound(NotFound):
    """The company has no user with this id."""

    def __init__(self, user_id: str) -> None:
        super().__init__("the company has no such user", metadata={"user_id": user_id})


class EmailTaken(AlreadyExists):
    """Some company has a user with this email."""

    def __init__(self) -> None:
        super().__init__("a user with this email exists")


def normal_email(email: str) -> str:
    """Answer an email as it is stored and looked up."""
    return email.lower()


def is_email(text: str) -> bool:
    """Tell whether a text may be somebody's email."""
    return _EMAIL.fullmatch(text) is not None


def check(problems: Problems, values: Mapping[str, Any]) -> None:
    """Check the given fields of a user, whichever they are."""
    if "email" in values and not is_email(values["email"]):
        problems.add("email", "must be an email address")
    if "role" in values and values["role"] not in GRANTABLE:
        problems.add("role", "must be VIEWER or ADMIN")
    if "password" in values:
        check_password(problems, "password", values["password"])


def check_password(problems: Problems, field: str, password: str) -> None:
    """Check a new password's length, in bytes of UTF-8."""
    if not MIN_PASSWORD_BYTES <= len(password.encode()) <= MAX_PASSWORD_BYTES:
        problems.add(field, f"must have {MIN_PASSWORD_BYTES} to {MAX_PASSWORD_BYTES} bytes")
    if "\0" in password:
        problems.add(field, "must not contain U+0000")


def ends_sessions(values: Mapping[str, Any]) -> bool:
    """Tell whether an update of these fields ends the user's sessions: a new password, or no more signing in."""
    return "password_hash" in values or values.get("status") is Status.DISABLED

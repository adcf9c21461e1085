"""Callers that tests make up."""

from __future__ import annotations

import dataclasses
from typing import Any

from services.chassis.identity import PLATFORM, Identity, Role

COMPANY_ID = 7
SCANNER_ID = "0190163d-8694-739b-aea5-966c26f8ad91"

SCANNER = Identity(
    company_id=COMPANY_ID,
    subject=SCANNER_ID,
    role=Role.SCANNER,
    lane="premium",
    region="local",
    key_id="0190163d-0000-7000-8000-000000000001",
)


def scanner(**others: Any) -> Identity:
    """A scanner of company 7 on the premium lane, or as said."""
    return dataclasses.replace(SCANNER, **others)


def operator(role: Role = Role.ADMIN, **others: Any) -> Identity:
    """An operator with a session; platform admins belong to no company."""
    known = Identity(
        company_id=PLATFORM if role is Role.PLATFORM_ADMIN else COMPANY_ID,
        subject="0190163d-1111-7000-8000-000000000002",
        role=role,
        lane="premium",
        region="local",
        session_id="0190163d-2222-7000-8000-000000000003",
    )
    return dataclasses.replace(known, **others)

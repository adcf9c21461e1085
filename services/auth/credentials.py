"""What a key or a session is worth: one record, made of the rows of company, holder and credential.

Each of the three rows has a revision of its own, taken from one sequence at every change that matters here, while
the row is locked. So a record is outdated exactly if one of its revisions is lower than the one that a change of
that row was published with. (The greatest of the three would not do: a company's change can take a number above
that of a key's revocation and commit before it; a record read in between would outrank the revocation.)

The rows of a record are read by one statement, and snapshots of one database are ordered: of two records of a
credential, the later one has no revision lower than the other. So their sum tells which one is newer.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache

from services.chassis.errors import PermissionDenied, Reason, Unauthenticated
from services.chassis.identity import Identity, Role
from services.chassis.subjects import Lane

_FORM = 2
"""Version of the encoded form: a replica that does not know it reads the database instead."""

COMPANY = ""
"""Stands for the company itself among the subjects of its changes; holders and credentials are named by id."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A key or a session, and everything that decides whether and as whom it is let in."""

    company_id: int
    credential_id: str
    """The key's id, or the session's."""
    holder_id: str
    """The scanner's id, or the user's."""
    role: Role
    scanner_type: str
    """What kind of device the scanner is; empty for users."""
    region: str
    company_active: bool
    holder_active: bool
    allowed_cidrs: tuple[str, ...]
    """Networks it may be used from; empty: any."""
    expire_time: datetime | None
    company_revision: int
    holder_revision: int
    revision: int

    @property
    def age(self) -> int:
        """A number that orders the records of one credential: the newer one has the greater or the same."""
        return self.company_revision + self.holder_revision + self.revision

    def admit(self, address: str, now: datetime) -> None:
        """Let the credential in from `address`, or say why not.

        Raises:
            Unauthenticated: it has ended, or its holder is disabled.
            PermissionDenied: the company is suspended, or the address is not among its networks.
        """
        if not self.holder_active or (self.expire_time is not None and self.expire_time <= now):
            raise Unauthenticated("the credential is not valid")
        if not self.company_active:
            raise CompanySuspended
        if self.allowed_cidrs and not _within(address, self.allowed_cidrs):
            raise PermissionDenied(
                "calls from this address are not allowed", reason=Reason.ADDRESS_NOT_ALLOWED
            )

    def identity(self, lane: Lane | None) -> Identity:
        """Answer whom the credential stands for, while its company's plan has this lane, or is not known."""
        device = self.role is Role.SCANNER
        return Identity(
            company_id=self.company_id,
            subject=self.holder_id,
            role=self.role,
            lane=lane or "",
            region=self.region,
            key_id=self.credential_id if device else "",
            session_id="" if device else self.credential_id,
            scanner_type=self.scanner_type,
        )


class CompanySuspended(PermissionDenied):
    """The company is not served; its data stays."""

    reason = Reason.COMPANY_SUSPENDED

    def __init__(self) -> None:
        super().__init__("the company is suspended")


def encode(credential: Credential) -> bytes:
    """Write a record for a cache that other replicas read."""
    expires = credential.expire_time
    fields = {**asdict(credential), "expire_time": expires and expires.isoformat(), "form": _FORM}
    return json.dumps(fields, separators=(",", ":")).encode()


def decode(data: bytes) -> Credential | None:
    """Read a record; None if another version of this code wrote it, in whatever form."""
    try:
        fields = json.loads(data)
    except ValueError:
        return None
    if fields.pop("form", None) != _FORM:
        return None
    expires = fields["expire_time"]
    fields["expire_time"] = expires and datetime.fromisoformat(expires)
    fields["role"] = Role(fields["role"])
    fields["allowed_cidrs"] = tuple(fields["allowed_cidrs"])
    return Credential(**fields)


@lru_cache(maxsize=4096)
def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(cidr)


def _within(address: str, cidrs: tuple[str, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)  # ::ffff:192.0.2.7 of a dual-stack listener is 192.0.2.7
    return any((mapped or parsed) in _network(cidr) for cidr in cidrs)

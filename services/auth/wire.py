"""Between the contract's messages and the domain's values: enums, times, and who is at work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from scanmesh.auth.v1 import auth_pb2

from services.auth import audit, companies, scanners, users
from services.chassis import identity, telemetry, wire
from services.chassis.clock import Clock
from services.chassis.fields import Problems
from services.chassis.identity import Role

Member = TypeVar("Member", bound=StrEnum)


class Closed(Generic[Member]):
    """A closed set: an enum of the contract and one of the domain, whose names differ by the usual prefix."""

    def __init__(self, wire: Any, prefix: str, kind: type[Member]) -> None:
        self._by_number: dict[int, Member] = {
            wire.Value(f"{prefix}_{member.name}"): member
            for member in kind
            if f"{prefix}_{member.name}" in wire.keys()  # noqa: SIM118 - not a dictionary
        }
        self._numbers = {member: number for number, member in self._by_number.items()}

    def read(self, problems: Problems, field: str, number: int) -> Member | None:
        """Answer the member a number stands for; None, noted as a problem, for one that stands for nothing."""
        member = self._by_number.get(number)
        if member is None:
            problems.add(field, "must be chosen" if number == 0 else "is not a value of its enum")
        return member

    def write(self, member: Member) -> Any:
        """Answer a member's number."""
        return self._numbers[member]


COMPANY_STATUS = Closed(auth_pb2.CompanyStatus, "COMPANY_STATUS", companies.Status)
USER_STATUS = Closed(auth_pb2.UserStatus, "USER_STATUS", users.Status)
SCANNER_STATUS = Closed(auth_pb2.ScannerStatus, "SCANNER_STATUS", scanners.Status)
SCANNER_TYPE = Closed(auth_pb2.ScannerType, "SCANNER_TYPE", scanners.Type)
ROLE = Closed(auth_pb2.Role, "ROLE", Role)


def read(
    problems: Problems, resource: Message, names: Iterable[str], enums: Mapping[str, Closed[Any]]
) -> dict[str, Any]:
    """Answer the named fields of a resource as the domain's values; enums that cannot be read are left out."""
    values: dict[str, Any] = {}
    for name in names:
        value = getattr(resource, name)
        if name in enums:
            value = enums[name].read(problems, name, value)
        elif not isinstance(value, str):
            value = tuple(value)
        if value is not None:
            values[name] = value
    return values


class Trail:
    """Writes the heads of audit entries for one service's RPCs."""

    def __init__(self, service: str, clock: Clock) -> None:
        self._service = auth_pb2.DESCRIPTOR.services_by_name[service].full_name
        self._clock = clock

    def entry(
        self, rpc: str, fields: Iterable[str] = (), *, by: tuple[str, Role] | None = None
    ) -> audit.Entry:
        """Answer who makes the change that the RPC in progress is about to make, and when.

        Args:
            rpc: the RPC's name.
            fields: the names of the fields that it sets.
            by: a user's id and role, where the RPC needs no credential and so has no caller yet.
        """
        user_id, role = by or _caller()
        return audit.Entry(
            user_id=user_id,
            role=role,
            method=f"{self._service}/{rpc}",
            time=self._clock(),
            request_id=telemetry.request_id(),
            fields=tuple(sorted(fields)),
        )


def timestamp(at: datetime | None) -> Timestamp | None:
    """Answer a time as the contract writes it; None stays absent."""
    return wire.timestamp(at) if at is not None else None


def _caller() -> tuple[str, Role]:
    who = identity.caller().identity
    return who.subject, who.role

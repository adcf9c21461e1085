"""Audit events: who changed what. Written with the change, by the transaction that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.identity import Role


@dataclass(frozen=True, slots=True)
class Entry:
    """What a handler knows of the change it is about to make."""

    user_id: str
    """The user who makes it; empty for the first boot of the mesh."""
    role: Role
    method: str
    """The RPC, such as `scanmesh.auth.v1.ScannerService/DeleteScanner`."""
    time: datetime
    request_id: str
    """The id of the request in the logs."""
    fields: tuple[str, ...] = ()
    """The names of the fields that are set, never their values."""


@dataclass(frozen=True, slots=True)
class Event:
    """An entry as stored, with the resource it was made to."""

    audit_event_id: UUID
    company_id: int
    event_time: datetime
    user_id: UUID | None
    role: Role
    method: str
    resource_id: str
    fields: tuple[str, ...]

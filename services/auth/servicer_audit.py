"""AuditService: who changed what."""

from __future__ import annotations

from typing import Any

from scanmesh.auth.v1 import auth_pb2, auth_pb2_grpc

from services.auth import audit, wire
from services.auth.store_audit import AuditStore
from services.chassis import identity, paging
from services.chassis.fields import resource_id

_LISTING = "audit_events"


class AuditServicer(auth_pb2_grpc.AuditServiceServicer):
    """Shows a company's trail to its admins."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store

    async def ListAuditEvents(
        self, request: auth_pb2.ListAuditEventsRequest, context: Any
    ) -> auth_pb2.ListAuditEventsResponse:
        page = paging.parse(request.page_size, request.page_token, listing=_LISTING, key=resource_id)
        listed, more = paging.cut(await self._store.list(identity.caller().company_id, page), page)
        return auth_pb2.ListAuditEventsResponse(
            audit_events=map(_render, listed),
            next_page_token=paging.token(_LISTING, listed[-1].audit_event_id) if more else "",
        )


def _render(event: audit.Event) -> auth_pb2.AuditEvent:
    return auth_pb2.AuditEvent(
        audit_event_id=str(event.audit_event_id),
        company_id=event.company_id,
        event_time=wire.timestamp(event.event_time),
        user_id=str(event.user_id) if event.user_id is not None else "",
        role=wire.ROLE.write(event.role),
        method=event.method,
        resource_id=event.resource_id,
        fields=event.fields,
    )

"""Companies, as auth knows them: asked in the name of whoever calls, who may not learn more than auth tells it."""

from __future__ import annotations

from datetime import UTC, datetime

import grpc
from scanmesh.auth.v1 import auth_pb2, auth_pb2_grpc

from services.chassis.clients import as_caller


class Companies:
    """Asks auth."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = auth_pb2_grpc.CompanyServiceStub(channel)

    async def create_time(self, company_id: int) -> datetime:
        """Answer when a company was created.

        Raises:
            NotFound: there is none with this id.
            Unavailable: auth does not answer, and it is not known whether there is.
        """
        request = auth_pb2.GetCompanyRequest(company_id=company_id)
        answer = await self._stub.GetCompany(request, metadata=as_caller())
        return answer.company.create_time.ToDatetime(tzinfo=UTC)

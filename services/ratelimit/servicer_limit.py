"""LimitService: the RPCs by which operators look at limits, and the platform sets exceptions from them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from scanmesh.ratelimit.v1 import limit_pb2, limit_pb2_grpc

from services.chassis import identity, wire
from services.chassis.clock import Clock
from services.chassis.errors import NotFound
from services.chassis.fields import Problems, resource_id
from services.ratelimit import quota
from services.ratelimit.decision import Decision, Holder, Standing
from services.ratelimit.directory import Directory
from services.ratelimit.limits import MAX_VALUE, Name, OverrideNotFound
from services.ratelimit.override_source import OverrideSource
from services.ratelimit.overrides import WHOLE_COMPANY, Override
from services.ratelimit.spending import Spending
from services.ratelimit.store_override import OverrideStore


class ScannerNotFound(NotFound):
    """The company has no scanner with this id."""

    def __init__(self, scanner_id: str) -> None:
        super().__init__(f"there is no scanner {scanner_id}")


class LimitServicer(limit_pb2_grpc.LimitServiceServicer):
    """Shows limits and sets overrides; one that was answered counts from the next call on, at every replica."""

    def __init__(
        self,
        spending: Spending,
        store: OverrideStore,
        source: OverrideSource,
        directory: Directory,
        *,
        clock: Clock,
    ) -> None:
        self._spending = spending
        self._store = store
        self._source = source
        self._directory = directory
        self._clock = clock

    async def GetLimits(
        self, request: limit_pb2.GetLimitsRequest, context: Any
    ) -> limit_pb2.GetLimitsResponse:
        holder = await self._holder(request.scanner_id)
        decision = await self._spending.peek(holder)
        shown = [each for each in decision.standings if each.name.of_company or holder.scanner_id]
        return limit_pb2.GetLimitsResponse(limits=[_render(each, decision) for each in shown])

    async def SetLimitOverride(
        self, request: limit_pb2.SetLimitOverrideRequest, context: Any
    ) -> limit_pb2.SetLimitOverrideResponse:
        name = _parse_set(request)
        holder = await self._holder(request.scanner_id)
        await self._store.set(_override(holder, name), request.value, self._clock())
        await self._source.publish(holder.company_id)
        return limit_pb2.SetLimitOverrideResponse(limit=await self._in_force(holder, name))

    async def DeleteLimitOverride(
        self, request: limit_pb2.DeleteLimitOverrideRequest, context: Any
    ) -> limit_pb2.DeleteLimitOverrideResponse:
        name = _parse_delete(request)
        holder = await self._holder(request.scanner_id)
        found = await self._store.take_back(_override(holder, name), self._clock())
        # Before NOT_FOUND too: it may be the answer to a second try.
        await self._source.publish(holder.company_id)
        if not found:
            raise OverrideNotFound(name)
        return limit_pb2.DeleteLimitOverrideResponse(limit=await self._in_force(holder, name))

    async def _holder(self, scanner_id: str) -> Holder:
        """Answer whose limits are meant.

        Raises:
            NotFound: there is no such company, or no such scanner of it.
        """
        caller = identity.caller()
        if scanner_id:
            parsed = resource_id(scanner_id)
            if parsed is None or parsed == WHOLE_COMPANY:
                raise ScannerNotFound(scanner_id)
            scanner_type = await self._directory.scanner_type(caller.company_id, parsed)
            return Holder(caller.company_id, scanner_id, scanner_type)
        if caller.identity.company_id != caller.company_id:  # else the caller's own token vouches for it
            await self._directory.require_company(caller.company_id)
        return Holder(caller.company_id)

    async def _in_force(self, holder: Holder, name: Name) -> limit_pb2.Limit | None:
        decision = await self._spending.peek(holder)
        return next((_render(each, decision) for each in decision.standings if each.name == name), None)


def _override(holder: Holder, name: Name) -> Override:
    return Override(holder.company_id, UUID(holder.scanner_id) if holder.scanner_id else WHOLE_COMPANY, name)


def _parse_set(request: limit_pb2.SetLimitOverrideRequest) -> Name:
    problems = Problems()
    if not request.HasField("value"):
        problems.add("value", "must be given")
    elif not 0 <= request.value <= MAX_VALUE:
        problems.add("value", f"must be 0 to {MAX_VALUE}")
    return _parse_name(problems, request.name, request.scanner_id)


def _parse_delete(request: limit_pb2.DeleteLimitOverrideRequest) -> Name:
    return _parse_name(Problems(), request.name, request.scanner_id)


def _parse_name(problems: Problems, text: str, scanner_id: str) -> Name:
    known = text in set(Name)
    if not known:
        problems.add("name", f"must be one of {', '.join(Name)}")
    elif Name(text).of_company and scanner_id:
        problems.add("name", "is a limit of the company's, and cannot be set for a scanner")
    problems.raise_any()
    return Name(text)


def _render(standing: Standing, decision: Decision) -> limit_pb2.Limit:
    now = decision.accept_time
    of_quota = standing.name is Name.COMPANY_MONTH
    reset = quota.end_of(quota.period_of(now)) if of_quota else now + standing.wait
    return limit_pb2.Limit(
        name=standing.name,
        limit=standing.limit,
        source=standing.source,
        remaining=standing.remaining,
        reset_time=wire.timestamp(reset),
    )

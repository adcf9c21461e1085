"""ScannerService: the RPCs about scanners and their API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from scanmesh.auth.v1 import auth_pb2, auth_pb2_grpc

from services.auth import keys, scanners, wire
from services.auth.control import Control
from services.auth.keys import Keyring
from services.auth.scanners import ApiKey, Quota, Scanner, ScannerNotFound
from services.auth.store_scanner import ScannerStore
from services.chassis import identity, masks, paging
from services.chassis.clock import Clock
from services.chassis.fields import Problems, resource_id
from services.chassis.plans import Plan, Plans

_LISTING = "scanners"
_ON_REGISTER = ("display_name", "firmware_version", "location", "region", "type")
_ENUMS: dict[str, wire.Closed[Any]] = {"status": wire.SCANNER_STATUS, "type": wire.SCANNER_TYPE}


class ScannerServicer(auth_pb2_grpc.ScannerServiceServicer):
    """Registers scanners and changes them; a revoked key is refused everywhere a second after the answer."""

    def __init__(
        self, store: ScannerStore, keyring: Keyring, control: Control, plans: Plans, *, clock: Clock
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._control = control
        self._plans = plans
        self._clock = clock
        self._trail = wire.Trail("ScannerService", clock)

    async def RegisterScanner(
        self, request: auth_pb2.RegisterScannerRequest, context: Any
    ) -> auth_pb2.RegisterScannerResponse:
        company_id = identity.caller().company_id
        values = _parse_new(request.scanner)
        key = self._keyring.mint(company_id)
        entry = self._trail.entry("RegisterScanner", values)
        sealed = await keys.seal(key)
        scanner = await self._store.register(values, sealed, _quota(self._plans.of(company_id)), entry)
        self._control.wake()
        return auth_pb2.RegisterScannerResponse(scanner=_render(scanner), api_key=key.text)

    async def GetScanner(
        self, request: auth_pb2.GetScannerRequest, context: Any
    ) -> auth_pb2.GetScannerResponse:
        scanner = await self._store.get(identity.caller().company_id, _id(request.scanner_id))
        return auth_pb2.GetScannerResponse(scanner=_render(scanner))

    async def ListScanners(
        self, request: auth_pb2.ListScannersRequest, context: Any
    ) -> auth_pb2.ListScannersResponse:
        page = paging.parse(request.page_size, request.page_token, listing=_LISTING, key=resource_id)
        listed, more = paging.cut(await self._store.list(identity.caller().company_id, page), page)
        return auth_pb2.ListScannersResponse(
            scanners=map(_render, listed),
            next_page_token=paging.token(_LISTING, listed[-1].scanner_id) if more else "",
        )

    async def UpdateScanner(
        self, request: auth_pb2.UpdateScannerRequest, context: Any
    ) -> auth_pb2.UpdateScannerResponse:
        company_id = identity.caller().company_id
        values = _parse_update(request)
        entry = self._trail.entry("UpdateScanner", values)
        quota = _quota(self._plans.of(company_id))
        scanner = await self._store.update(company_id, _id(request.scanner_id), values, quota, entry)
        if scanners.CREDENTIAL_FIELDS.intersection(values):
            await self._control.settle(company_id)
        return auth_pb2.UpdateScannerResponse(scanner=_render(scanner))

    async def DeleteScanner(
        self, request: auth_pb2.DeleteScannerRequest, context: Any
    ) -> auth_pb2.DeleteScannerResponse:
        company_id = identity.caller().company_id
        entry = self._trail.entry("DeleteScanner")
        found = await self._store.delete(company_id, _id(request.scanner_id), entry)
        await self._control.settle(company_id)  # before NOT_FOUND too: it may be the answer to a second try
        if not found:
            raise ScannerNotFound(request.scanner_id)
        return auth_pb2.DeleteScannerResponse()

    async def RotateApiKey(
        self, request: auth_pb2.RotateApiKeyRequest, context: Any
    ) -> auth_pb2.RotateApiKeyResponse:
        company_id = identity.caller().company_id
        overlap = _parse_overlap(request)
        key = self._keyring.mint(company_id)
        entry = self._trail.entry("RotateApiKey")
        await self._store.rotate(_id(request.scanner_id), await keys.seal(key), overlap=overlap, entry=entry)
        await self._control.settle(company_id)
        return auth_pb2.RotateApiKeyResponse(
            api_key=key.text, previous_expire_time=wire.timestamp(entry.time + overlap)
        )

    async def RevokeApiKeys(
        self, request: auth_pb2.RevokeApiKeysRequest, context: Any
    ) -> auth_pb2.RevokeApiKeysResponse:
        company_id = identity.caller().company_id
        entry = self._trail.entry("RevokeApiKeys")
        count = await self._store.revoke_keys(company_id, _id(request.scanner_id), entry)
        await self._control.settle(company_id)
        return auth_pb2.RevokeApiKeysResponse(revoked_count=count)

    async def ListApiKeys(
        self, request: auth_pb2.ListApiKeysRequest, context: Any
    ) -> auth_pb2.ListApiKeysResponse:
        company_id = identity.caller().company_id
        listed = await self._store.keys(company_id, _id(request.scanner_id), self._clock())
        return auth_pb2.ListApiKeysResponse(api_keys=map(_render_key, listed))


def _quota(plan: Plan) -> Quota:
    return Quota(scanners=plan.scanner_quota, regions=plan.region_quota)


def _id(scanner_id: str) -> UUID:
    parsed = resource_id(scanner_id)
    if parsed is None:
        raise ScannerNotFound(scanner_id)
    return parsed


def _parse_new(scanner: auth_pb2.Scanner) -> dict[str, Any]:
    problems = Problems()
    values = wire.read(problems.within("scanner"), scanner, _ON_REGISTER, _ENUMS)
    if not values["region"]:
        del values["region"]
    scanners.check(problems.within("scanner"), values)
    problems.raise_any()
    return values


def _parse_update(request: auth_pb2.UpdateScannerRequest) -> dict[str, Any]:
    problems = Problems()
    names = masks.fields(problems, request.update_mask, request.scanner, scanners.MUTABLE)
    values = wire.read(problems.within("scanner"), request.scanner, names, _ENUMS)
    scanners.check(problems.within("scanner"), values)
    problems.raise_any()
    return values


def _parse_overlap(request: auth_pb2.RotateApiKeyRequest) -> timedelta:
    problems = Problems()
    # By hand: a Duration on the wire may hold more than any timedelta does.
    most = int(scanners.MAX_OVERLAP.total_seconds()) + 1
    seconds = max(-1, min(request.overlap.seconds, most))
    overlap = timedelta(seconds=seconds, microseconds=request.overlap.nanos // 1000)
    scanners.check_overlap(problems, overlap)
    problems.raise_any()
    return overlap


def _render(scanner: Scanner) -> auth_pb2.Scanner:
    return auth_pb2.Scanner(
        scanner_id=str(scanner.scanner_id),
        company_id=scanner.company_id,
        display_name=scanner.display_name,
        type=wire.SCANNER_TYPE.write(scanner.type),
        location=scanner.location,
        region=scanner.region,
        firmware_version=scanner.firmware_version,
        status=wire.SCANNER_STATUS.write(scanner.status),
        create_time=wire.timestamp(scanner.create_time),
        last_seen_time=wire.timestamp(scanner.last_seen_time),
    )


def _render_key(key: ApiKey) -> auth_pb2.ApiKey:
    return auth_pb2.ApiKey(
        key_id=str(key.key_id),
        create_time=wire.timestamp(key.create_time),
        last_used_time=wire.timestamp(key.last_used_time),
        expire_time=wire.timestamp(key.expire_time),
    )

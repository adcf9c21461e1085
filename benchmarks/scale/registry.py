"""Scanners by the hundred thousand: they and their keys are put into auth's tables as auth itself writes them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from benchmarks.scale.ground import Ground
from benchmarks.tenants import Company, Device
from services.auth import keys, scanners
from services.chassis.ids import uuid7

_AT_ONCE = 2_000
_SCANNERS = "company_id scanner_id display_name type location region firmware_version status create_time"
_KEYS = "company_id key_id scanner_id digest slow_hash create_time"
TABLES = ("auth.scanners", "auth.api_keys")


class Registry:
    """The scanners of one company."""

    def __init__(self, ground: Ground, company: Company) -> None:
        self._ground = ground
        self._company = company
        self.devices: list[Device] = []

    async def grow(self, count: int) -> None:
        """Have so many."""
        region = await self._ground.store.region(self._company.id)
        while len(self.devices) < count:
            await self._add(min(_AT_ONCE, count - len(self.devices)), region)
        await self._ground.store.tidy(TABLES)

    async def _add(self, count: int, region: str) -> None:
        now = datetime.now(UTC)
        minted = [self._ground.keyring.mint(self._company.id) for _ in range(count)]
        sealed = await asyncio.gather(*map(keys.seal, minted))
        ids = [uuid7() for _ in minted]
        kind, status = scanners.Type.FIXED, scanners.Status.ACTIVE
        await self._ground.store.copy(
            "auth.scanners",
            _SCANNERS,
            ((self._company.id, each, "Harness", kind, "", region, "", status, now) for each in ids),
        )
        await self._ground.store.copy(
            "auth.api_keys",
            _KEYS,
            (
                (self._company.id, uuid7(), scanner_id, key.digest, key.slow_hash, now)
                for scanner_id, key in zip(ids, sealed, strict=True)
            ),
        )
        self.devices += [
            Device(self._company.id, str(scanner_id), key.text)
            for scanner_id, key in zip(ids, minted, strict=True)
        ]

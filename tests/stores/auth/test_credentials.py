from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from services.auth import keys
from services.auth.audit import Entry
from services.auth.keys import Keyring, PresentedKey
from services.auth.scanners import Quota, Scanner, Status
from services.auth.seen import Sighting
from services.auth.store_company import CompanyStore
from services.auth.store_credential import CredentialStore
from services.auth.store_mark import MarkStore
from services.auth.store_scanner import ScannerStore
from services.auth.store_seen import SeenStore
from services.chassis.database import Database


@dataclass(frozen=True)
class Device:
    """A registered scanner, its key, and what happens to them."""

    db: Database
    scanner: Scanner
    key: PresentedKey
    entry: Entry

    async def credential(self):
        return await CredentialStore(self.db, region="local").by_key(self.key)

    async def update(self, **values):
        scanner = self.scanner
        this = (scanner.company_id, scanner.scanner_id)
        return await ScannerStore(self.db).update(*this, values, Quota(), self.entry)

    async def changes(self):
        """Answer what is marked for publication, but for what is new."""
        due = await MarkStore(self.db).due(self.scanner.company_id)
        return [change for change in due if not change.created]


@pytest.fixture
async def device(db, company_id, entry):
    key = Keyring(b"pepper").mint(company_id)
    values = {"display_name": "Gate", "type": "dock", "location": "", "firmware_version": ""}
    scanner = await ScannerStore(db).register(values, await keys.seal(key), Quota(), entry)
    return Device(db, scanner, key, entry)


async def test_a_key_is_found_by_its_digest_and_proven_by_its_hash(db, device):
    assert (await device.credential()).holder_id == str(device.scanner.scanner_id)
    last = "0" if device.key.text[-1] != "0" else "1"
    same_digest = replace(device, key=replace(device.key, text=device.key.text[:-1] + last))
    assert await same_digest.credential() is None


async def test_every_change_raises_the_revision_of_its_own_row_alone(db, device, company_id, entry):
    first = await device.credential()
    await CompanyStore(db).update(company_id, {"allowed_cidrs": ("10.0.0.0/8",)}, entry)
    second = await device.credential()
    await device.update(region="eu")
    third = await device.credential()
    assert second.company_revision > first.company_revision
    assert (second.holder_revision, second.revision) == (first.holder_revision, first.revision)
    assert third.holder_revision > second.holder_revision
    assert (third.company_revision, third.revision) == (second.company_revision, second.revision)
    assert first.age < second.age < third.age


async def test_a_change_is_marked_with_the_revision_of_its_row(device):
    await device.update(status=Status.DISABLED)
    credential = await device.credential()
    assert [(change.holder_id, change.revision, change.active) for change in await device.changes()] == [
        (credential.holder_id, credential.holder_revision, False)
    ]


async def test_a_field_that_no_credential_depends_on_is_changed_without_a_mark(device):
    before = await device.credential()
    await device.update(display_name="New")
    assert await device.credential() == before
    assert await device.changes() == []


async def test_the_last_of_concurrent_changes_has_the_greatest_revision(device):
    await asyncio.gather(*(device.update(region=f"r{number}") for number in range(8)))
    revisions = {change.revision for change in await device.changes()}
    assert len(revisions) == 8
    assert (await device.credential()).holder_revision == max(revisions)


async def test_sightings_move_forward_only(db, device, company_id, clock):
    credential = await device.credential()
    sighting = Sighting(credential.holder_id, credential.credential_id)
    for at in (clock(), clock() - timedelta(hours=1)):
        await SeenStore(db).write(company_id, {sighting: at})
    store, scanner_id = ScannerStore(db), device.scanner.scanner_id
    assert (await store.get(company_id, scanner_id)).last_seen_time == clock()
    (listed,) = await store.keys(company_id, scanner_id, clock())
    assert listed.last_used_time == clock()
    assert await device.credential() == credential


async def test_a_disabled_scanner_is_told_and_a_deleted_one_is_gone(db, device, company_id, entry):
    await device.update(status=Status.DISABLED)
    assert not (await device.credential()).holder_active
    assert await ScannerStore(db).delete(company_id, device.scanner.scanner_id, entry)
    assert await device.credential() is None
    assert not await ScannerStore(db).delete(company_id, device.scanner.scanner_id, entry)

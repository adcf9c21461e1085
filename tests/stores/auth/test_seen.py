from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.auth.keys import Keyring, seal
from services.auth.scanners import Quota, Type
from services.auth.seen import Seen
from services.auth.store_credential import CredentialStore
from services.auth.store_scanner import ScannerStore
from services.auth.store_seen import SeenStore

NO_ROOM = """
CREATE FUNCTION auth.no_room() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$
"""
REFUSE = "CREATE TRIGGER no_room BEFORE UPDATE ON auth.scanners EXECUTE FUNCTION auth.no_room()"


@pytest.fixture
async def no_room(superuser):
    """Have the database answer as one whose disk is full; called, there is room again."""

    async def run(statement):
        async with superuser.transaction() as connection:
            await connection.execute(sa.text(statement))

    await run(NO_ROOM)
    await run(REFUSE)
    yield lambda: run("DROP TRIGGER no_room ON auth.scanners")
    await run("DROP FUNCTION auth.no_room CASCADE")


async def test_sightings_are_written_again_when_a_full_disk_has_room(db, company_id, entry, clock, no_room):
    key = Keyring(b"pepper").mint(company_id)
    values = {"display_name": "Gate 1", "type": Type.FIXED, "location": "", "firmware_version": ""}
    scanner = await ScannerStore(db).register(values, await seal(key), Quota(), entry)
    credential = await CredentialStore(db, region="local").by_key(key)
    seen = Seen()
    seen.note(credential, clock())
    await SeenStore(db).flush(seen)
    assert (await ScannerStore(db).get(company_id, scanner.scanner_id)).last_seen_time is None
    await no_room()
    seen.note(credential, clock())
    await SeenStore(db).flush(seen)
    assert (await ScannerStore(db).get(company_id, scanner.scanner_id)).last_seen_time == clock()

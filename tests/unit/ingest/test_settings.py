from __future__ import annotations

from pathlib import Path

import pytest

from services.chassis.settings import SettingsError, load
from services.ingest.settings import Settings

GIVEN = {
    "INGEST_DATABASE_URL": "postgresql+asyncpg://ingest_app:secret@localhost/scanmesh",
    "INGEST_NATS_URL": "nats://ingest:secret@localhost",
    "INGEST_RATELIMIT_TARGETS": "localhost:1",
    "INGEST_IDENTITY_JWKS": "jwks.json",
}


def read(**others: str) -> Settings:
    return load(Settings, prefix="INGEST_", environ={**GIVEN, **others})


def test_nobody_looks_after_a_disk_unless_told_where_it_is(tmp_path: Path) -> None:
    assert read().stores_folder is None
    assert read(INGEST_STORES_FOLDER=str(tmp_path)).stores_folder == tmp_path


def test_all_that_nobody_can_serve_with_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        read(
            INGEST_SHED_RATE="0",
            INGEST_STORES_FOLDER=str(tmp_path / "gone"),
            INGEST_STORES_RESERVE_BYTES="0",
        )
    names = [line.partition(":")[0] for line in str(refused.value).splitlines()]
    assert names == ["INGEST_SHED_RATE", "INGEST_STORES_RESERVE_BYTES", "INGEST_STORES_FOLDER"]

"""`verify` finds what was done to the books behind the ledger's back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from services.billing import tables
from services.billing.__main__ import verify
from services.billing.settings import VerifySettings
from tests.fakes import billing

NOW = datetime(2026, 11, 25, 12, 1, tzinfo=UTC)


@pytest.fixture
def settings(postgres):
    return VerifySettings(database_url=postgres.url("billing_worker"))


@pytest.fixture
async def entry(superuser, ledger, company_id):
    """An entry of the only company in the books."""
    async with superuser.transaction() as connection:
        for table in (tables.ledger, tables.totals, tables.thresholds):
            await connection.execute(sa.delete(table))
    made = billing.entry(company_id, quantity=5)
    await ledger.append([made], NOW)
    return made


async def test_books_that_agree_are_told_in_one_line(settings, entry, ledger, capsys):
    await ledger.append([billing.entry(entry.company_id + 1) for _ in range(1_001)], NOW)
    assert await verify(settings)
    assert capsys.readouterr().out == "2 companies, 2 totals, 1002 entries: no differences\n"


@pytest.mark.parametrize(
    "planted",
    [
        (sa.update(tables.totals).values(quantity=6), "2026-11 scans: the total is 6, the ledger's sum 5"),
        (sa.delete(tables.totals), "2026-11 scans: the total is 0, the ledger's sum 5"),
        (sa.delete(tables.ledger), "2026-11 scans: the total is 5, the ledger's sum 0"),
        (sa.update(tables.ledger).values(period="2026-12"), "is in 2026-12, but was accepted in 2026-11"),
        (
            sa.update(tables.ledger).values(cell_time=billing.CELL + timedelta(days=30)),
            "is in 2026-11, but was accepted in 2026-12",
        ),
        (sa.update(tables.ledger).values(region="elsewhere"), "is not what its digest says"),
        (sa.update(tables.ledger).values(quantity=6), "sum up to quantity"),
        (sa.update(tables.ledger).values(scanners={}), "sum up to quantity"),
    ],
    ids=str,
)
async def test_a_difference_is_told_with_its_company(settings, superuser, entry, capsys, planted):
    change, told = planted
    async with superuser.transaction() as connection:
        await connection.execute(change.where(change.table.c.company_id == entry.company_id))
    assert not await verify(settings)
    *differences, counts = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"company {entry.company_id}: ") and told in line for line in differences)
    assert counts.endswith(f"{len(differences)} differences")


async def test_a_threshold_that_was_never_told_is_told_here(settings, entry, ledger, capsys):
    await ledger.append([billing.entry(entry.company_id, quantity=80_000)], NOW)
    assert await verify(settings, now=lambda: NOW + timedelta(seconds=59))
    assert not await verify(settings, now=lambda: NOW + timedelta(seconds=61))
    assert "80 % were reached" in capsys.readouterr().out

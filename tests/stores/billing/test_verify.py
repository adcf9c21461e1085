"""`verify` finds what was done to the books behind the ledger's back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.billing import tables
from services.billing.__main__ import verify
from services.billing.settings import VerifySettings
from services.billing.store_subscription import SubscriptionStore
from services.billing.subscriptions import State, Subscription
from services.chassis.errors import Unavailable
from tests.fakes import billing

NOW = datetime(2026, 11, 25, 12, 1, tzinfo=UTC)


@pytest.fixture
def settings(postgres):
    return VerifySettings(database_url=postgres.url("billing_worker"))


@pytest.fixture
async def entry(superuser, ledger, company_id):
    """An entry of the only company in the books."""
    async with superuser.transaction() as connection:
        for table in (tables.ledger, tables.totals, tables.thresholds, tables.subscriptions):
            await connection.execute(sa.delete(table))
    made = billing.entry(company_id, quantity=5)
    await ledger.append([made], NOW)
    return made


@pytest.fixture
def subscribe(app, catalogue):
    """Subscribe a company to a plan, of which nobody is told."""

    async def subscribed(company_id, plan):
        first = Subscription(company_id, catalogue.default, State.ACTIVE, NOW)
        await SubscriptionStore(app, catalogue).update(company_id, {"plan": plan}, NOW, first=first)

    return subscribed


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
    ids=lambda planted: planted[1],
)
async def test_a_difference_is_told_with_its_company(settings, superuser, entry, capsys, planted):
    change, told = planted
    async with superuser.transaction() as connection:
        await connection.execute(change.where(change.table.c.company_id == entry.company_id))
    assert not await verify(settings)
    *differences, counts = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"company {entry.company_id}: ") and told in line for line in differences)
    assert counts.endswith(f"{len(differences)} differences")


@pytest.mark.parametrize("impossible", [0, -2147483648])
async def test_a_company_that_cannot_be_is_checked_as_well(settings, superuser, entry, capsys, impossible):
    async with superuser.transaction() as connection:
        for table in (tables.ledger, tables.totals):
            await connection.execute(sa.update(table).values(company_id=impossible))
    assert not await verify(settings)
    assert f"company {impossible}: event" in capsys.readouterr().out


async def test_the_event_of_the_least_id_is_checked_as_well(settings, superuser, entry, capsys):
    async with superuser.transaction() as connection:
        changed = sa.update(tables.ledger).values(event_id=UUID(int=0), kind="other")
        await connection.execute(changed)
    assert not await verify(settings)
    assert f"event {UUID(int=0)}: is not what its digest says" in capsys.readouterr().out


async def test_a_role_that_is_not_shown_everything_is_refused(postgres, entry):
    behind_the_wall = VerifySettings(database_url=postgres.url("billing_app"))
    with pytest.raises(Unavailable) as raised:
        await verify(behind_the_wall)
    assert "row-level security" in str(raised.value.__cause__)


@pytest.mark.parametrize(
    ("plan", "scans", "missing"),
    [
        ("starter", 79_999, []),
        ("starter", 80_000, [80]),
        ("starter", 100_000, [80, 100]),
        ("professional", 100_000, []),
        ("professional", 1_000_000, [80, 100]),
        ("enterprise", 1_000_000, []),
        (None, 100_000, [80, 100]),
    ],
)
async def test_a_threshold_that_was_never_noted_is_told_by_the_plan_in_force(  # noqa: PLR0917 - fixtures
    settings, superuser, ledger, subscribe, entry, capsys, plan, scans, missing
):
    if plan is not None:
        await subscribe(entry.company_id, plan)
    await ledger.append([billing.entry(entry.company_id, quantity=scans - entry.quantity)], NOW)
    async with superuser.transaction() as connection:
        await connection.execute(sa.delete(tables.thresholds))
    assert await verify(settings, now=lambda: NOW) == (not missing)
    told = capsys.readouterr().out
    assert [percent for percent in (80, 100) if f"2026-11: {percent} % of" in told] == missing


async def test_one_threshold_that_is_noted_does_not_hide_the_other(
    settings, superuser, ledger, entry, capsys
):
    await ledger.append([billing.entry(entry.company_id, quantity=100_000)], NOW)
    async with superuser.transaction() as connection:
        await connection.execute(sa.delete(tables.thresholds).where(tables.thresholds.c.percent == 80))
    assert not await verify(settings, now=lambda: NOW)
    told = f"company {entry.company_id}: 2026-11: 80 % of 100000 were reached and not noted\n"
    assert capsys.readouterr().out.startswith(f"{told}1 companies")


async def test_a_subscription_that_was_not_told_for_a_minute_is_told_here(
    settings, subscribe, entry, superuser, capsys
):
    await subscribe(entry.company_id, "professional")
    assert await verify(settings, now=lambda: NOW + timedelta(seconds=59))
    assert not await verify(settings, now=lambda: NOW + timedelta(seconds=61))
    assert f"company {entry.company_id}: its subscription was changed and not told" in capsys.readouterr().out
    told = sa.update(tables.subscriptions).values(published_revision=tables.subscriptions.c.revision)
    async with superuser.transaction() as connection:
        await connection.execute(told)
    assert await verify(settings, now=lambda: NOW + timedelta(seconds=61))


async def test_a_threshold_that_was_never_told_is_told_here(settings, entry, ledger, capsys):
    await ledger.append([billing.entry(entry.company_id, quantity=80_000)], NOW)
    assert await verify(settings, now=lambda: NOW + timedelta(seconds=59))
    assert not await verify(settings, now=lambda: NOW + timedelta(seconds=61))
    assert "80 % were reached" in capsys.readouterr().out

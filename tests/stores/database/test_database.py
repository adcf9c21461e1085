"""What the chassis makes of a real PostgreSQL: typed failures, and nothing secret in them."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from services.chassis import database
from services.chassis.database import Database
from services.chassis.errors import Unavailable
from tests.servers.fixtures import postgres  # noqa: F401 - a fixture
from tests.servers.postgres import PostgresServer


@pytest.fixture
async def db(postgres: PostgresServer) -> AsyncIterator[Database]:  # noqa: F811
    async with database.connected(postgres.url("auth_app"), pool_size=1) as connected:
        yield connected


async def test_bound_values_stay_out_of_errors(db: Database) -> None:
    """A fault is logged with its traceback, and what was bound may be a digest or a hash."""
    secret = uuid.uuid4().hex  # not spelt out: a traceback shows lines of source
    failing = sa.text("SELECT CAST(:hash AS text) FROM nowhere")
    with pytest.raises(Unavailable) as failed:
        async with db.transaction() as connection:
            await connection.execute(failing, {"hash": secret})
    assert secret not in "".join(traceback.format_exception(failed.value))


@pytest.mark.parametrize("condition", ["disk_full", "out_of_memory", "too_many_connections", "io_error"])
async def test_database_that_lacks_what_it_needs_is_unavailable(db: Database, condition: str) -> None:
    lacking = sa.text(f"DO $$ BEGIN RAISE EXCEPTION 'lacking' USING ERRCODE = '{condition}'; END $$")
    with pytest.raises(Unavailable):
        async with db.transaction() as connection:
            await connection.execute(lacking)


async def test_value_that_is_refused_is_a_fault_and_not_unavailable(db: Database) -> None:
    with pytest.raises(exc.DBAPIError) as refused:
        async with db.transaction() as connection:
            await connection.execute(sa.text("SELECT 1/0"))
    assert database.refused(refused.value)


async def test_value_that_the_driver_cannot_send_is_a_fault(db: Database) -> None:
    with pytest.raises(exc.DBAPIError) as refused:
        async with db.transaction() as connection:
            await connection.execute(sa.text("SELECT CAST(:number AS int)"), {"number": 2**40})
    assert database.refused(refused.value)


@pytest.mark.parametrize(
    "statement", ["SELECT * FROM nowhere", "SELECT nothing FROM auth.emails", "TABLE pg_authid"]
)
async def test_database_that_is_not_as_it_should_be_is_unavailable_and_logged(
    db: Database, caplog: pytest.LogCaptureFixture, statement: str
) -> None:
    """A table or a right that is missing is no message's fault: it comes with the next migration."""
    with pytest.raises(Unavailable):
        async with db.transaction() as connection:
            await connection.execute(sa.text(statement))
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_pool_that_is_used_up_is_unavailable(db: Database) -> None:
    async with db.transaction():
        with pytest.raises(Unavailable):
            await db.ping()


async def test_transaction_that_fails_leaves_nothing(db: Database) -> None:
    insert = sa.text("INSERT INTO auth.emails VALUES ('a@example.com', 1, gen_random_uuid())")
    count = sa.text("SELECT count(*) FROM auth.emails WHERE email = 'a@example.com'")
    with pytest.raises(KeyError):  # noqa: PT012 - the block is what is tested
        async with db.transaction(company_id=1) as connection:
            await connection.execute(insert)
            raise KeyError
    async with db.transaction(company_id=1) as connection:
        assert await connection.scalar(count) == 0


async def test_company_is_set_for_one_transaction_only(db: Database) -> None:
    setting = sa.text(f"SELECT current_setting('{database.COMPANY_SETTING}', true)")
    async with db.transaction(company_id=7) as connection:
        assert await connection.scalar(setting) == "7"
    async with db.transaction() as connection:
        assert not await connection.scalar(setting)

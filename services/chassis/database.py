"""PostgreSQL: one engine per role, one short transaction per store method, the tenant set in each.

Row-level security lets a transaction see the rows of the company it was opened for, and nothing without one: a
forgotten WHERE shows nothing of others. Driver errors leave this module only when a value is at fault: a database that
cannot answer, for whatever reason, is `Unavailable`, to be tried again.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import sqlalchemy as sa
from asyncpg.exceptions._base import DataError
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.chassis.errors import Unavailable
from services.chassis.settings import Secret

COMPANY_SETTING = "scanmesh.company_id"
"""The setting that every row-level security policy compares with."""

_CONNECT_SECONDS = 2.0
_STATEMENT_SECONDS = 5.0
_POOL_WAIT_SECONDS = 2.0
_set_company = sa.text(f"SELECT set_config('{COMPANY_SETTING}', :company_id, true)")

# What says "the database is away or gave up".
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,  # a full disk, no memory or no connection left
    asyncpg.PostgresSystemError,  # its disk fails
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
)
_FAULTS_OF_DATA = ("22", "23", "54", "P0")
"""Classes of SQLSTATE by which PostgreSQL refuses a value: bad data, a constraint, too large, a trigger's own words."""

_log = logging.getLogger(__name__)


def refused(error: BaseException) -> bool:
    """Tell a value that the database refuses from a database that cannot: only the first is somebody's fault."""
    origin = _driver_error(error) if isinstance(error, exc.DBAPIError) else error
    if isinstance(origin, DataError):  # the driver's own: it cannot even send the value
        return True
    return str(getattr(origin, "sqlstate", None)).startswith(_FAULTS_OF_DATA)


class Database:
    """A pool of connections of one role."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def transaction(self, *, company_id: int | None = None) -> AsyncIterator[AsyncConnection]:
        """Run statements in one READ COMMITTED transaction, as `company_id`; without one no tenant's row is seen.

        Raises:
            Unavailable: the database cannot be reached, went away, or gave up waiting; nothing is known to be
                committed, so callers repeat only what may be repeated.
        """
        with _translated():
            async with self._engine.begin() as connection:
                if company_id is not None:
                    await connection.execute(_set_company, {"company_id": str(company_id)})
                yield connection

    async def ping(self) -> None:
        """Return if the database answers.

        Raises:
            Unavailable: it does not.
        """
        async with self.transaction() as connection:
            await connection.execute(sa.text("SELECT 1"))


@asynccontextmanager
async def connected(url: Secret, *, pool_size: int = 10) -> AsyncIterator[Database]:
    """Open a pool on `postgresql+asyncpg://role:password@host:port/database`; connections are made when needed.

    Args:
        url: where, and as which role.
        pool_size: connections at most.
    """
    engine = create_async_engine(
        url.reveal(),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,  # a failing statement is logged; what was bound to it may be a secret
        connect_args={"timeout": _CONNECT_SECONDS, "command_timeout": _STATEMENT_SECONDS},
    )
    try:
        yield Database(engine)
    finally:
        await engine.dispose()


async def migrate(url: Secret, migrations: Path, *, schema: str) -> None:
    """Bring a service's schema up to date with its Alembic migrations, as the schema's owner.

    Args:
        url: the owner's `postgresql+asyncpg://` address.
        migrations: the folder with `env.py` and `versions/`.
        schema: where the version table lives: each service has a history of its own.
    """
    engine = create_async_engine(url.reveal(), poolclass=sa.NullPool, hide_parameters=True)
    try:
        async with engine.begin() as connection:
            # Two replicas that start together migrate one after the other.
            await connection.execute(
                sa.text("SELECT pg_advisory_xact_lock(hashtext(:schema))"), {"schema": schema}
            )
            await connection.run_sync(_upgrade, migrations, schema)
    finally:
        await engine.dispose()


def _upgrade(connection: sa.Connection, migrations: Path, schema: str) -> None:
    # Alembic takes 9 MB and a tenth of a second, which only a process that migrates shall spend.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes.update(connection=connection, schema=schema)
    command.upgrade(config, "head")


@contextmanager
def _translated() -> Iterator[None]:
    """Let errors pass that are about values; any other says that the database is away, or not as it should be.

    A missing table or right (a service rolled out before its migration) passes by itself one day, like an outage: no
    request and no message is to blame.
    """
    try:
        yield
    except exc.TimeoutError as error:  # the pool's: all connections are busy
        raise Unavailable("the database is busy") from error
    except (exc.DBAPIError, asyncpg.PostgresError, *_AWAY) as error:
        if refused(error):
            raise
        if not _away(error):
            _log.exception("the database cannot do what it is asked to")
        raise Unavailable("the database is not available") from error


def _away(error: BaseException) -> bool:
    if isinstance(error, exc.DBAPIError):
        return error.connection_invalidated or isinstance(_driver_error(error), _AWAY)
    return isinstance(error, _AWAY)


def _driver_error(error: exc.DBAPIError) -> BaseException | None:
    """Dig out asyncpg's own exception: SQLAlchemy wraps it in a DB-API one."""
    return error.orig.__cause__ if error.orig is not None and error.orig.__cause__ else error.orig

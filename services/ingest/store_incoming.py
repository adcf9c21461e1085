"""Scans on their way into the record: all of them are sent before the transaction holds what others wait for.

The server waits without end for a client that stands still inside COPY, stopped or on a frozen machine: no timeout of
PostgreSQL's counts there. So what is large goes into a table of the connection's own first, and the statements after
it only name places in that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.accepted import AcceptedScan, Message

# Made once a connection; emptied, not dropped, at the end of each transaction, which spares the catalogue.
_MAKE = sa.text("""
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming (
        place int NOT NULL, company_id int NOT NULL, scan_id uuid NOT NULL, message_id uuid NOT NULL,
        index int NOT NULL, digest bigint NOT NULL, accept_time timestamptz NOT NULL,
        scanner_id uuid, kind text, lane text, region text, scan_time timestamptz, content bytea
    ) ON COMMIT DELETE ROWS
""")
_ID = ("place", "company_id", "scan_id", "message_id", "index", "digest", "accept_time")
_EVENT = ("scanner_id", "kind", "lane", "region", "scan_time", "content")


class Incoming(NamedTuple):
    """A scan and its place in the table."""

    place: int
    message: Message
    scan: AcceptedScan


def placed(messages: Iterable[Message]) -> list[Incoming]:
    """Give every scan of some messages a place, in their order."""
    scans = [(message, scan) for message in messages for scan in message.scans]
    return [Incoming(place, *scan) for place, scan in enumerate(scans)]


async def make(connection: AsyncConnection) -> None:
    """Have the table there, empty."""
    await connection.execute(_MAKE)


async def send(connection: AsyncConnection, scans: Iterable[Incoming]) -> None:
    """Send scans with all that is to be kept of them."""
    await _copy(connection, (*_ID, *_EVENT), ((*_id(each), *_event(each)) for each in scans))


async def send_ids(connection: AsyncConnection, scans: Iterable[Incoming]) -> None:
    """Send of scans what their deduplication takes; there is nothing in it that PostgreSQL could refuse."""
    await _copy(connection, _ID, map(_id, scans))


async def _copy(
    connection: AsyncConnection, columns: Sequence[str], records: Iterable[tuple[object, ...]]
) -> None:
    driver = cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)
    await driver.copy_records_to_table("incoming", schema_name="pg_temp", columns=columns, records=records)


def _id(incoming: Incoming) -> tuple[object, ...]:
    place, message, scan = incoming
    return (
        place,
        scan.company_id,
        scan.scan_id,
        message.message_id,
        scan.index,
        scan.digest,
        scan.accept_time,
    )


def _event(incoming: Incoming) -> tuple[object, ...]:
    _, message, scan = incoming
    return (
        scan.scanner_id,
        scan.kind,
        message.lane,
        scan.region,
        scan.scan_time,
        scan.scan.SerializeToString(deterministic=True),
    )

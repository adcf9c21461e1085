"""What the process `record` does at the same time: the workers of every queue that ingest takes, and housekeeping."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from services.chassis.attempts import Attempts
from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.plans import Plans
from services.chassis.subjects import DEAD_LETTERS, DEADLETTER, SCANS, TALLIES, TALLY, Lane, recorder
from services.chassis.work import Worker
from services.ingest.consumer_dead_letter import DeadLetterConsumer
from services.ingest.consumer_tally import TallyConsumer
from services.ingest.housekeeping import Housekeeper
from services.ingest.recorder import Epoch, Recorder
from services.ingest.store_dead_letter import DeadLetterStore
from services.ingest.store_record import RecordStore
from services.ingest.store_tally import TallyStore

SLOTS = {Lane.PREMIUM: 2, Lane.STANDARD: 2, Lane.BULK: 1}
"""Of each lane's worker; every one has a database connection of its own while it records."""
_AT_ONCE = 32
"""Messages of one fetch."""
_GATHER = timedelta(milliseconds=50)
"""A scan may be on record that much later."""
_GATHER_COUNTS = timedelta(milliseconds=200)
"""Nobody waits for a count or a dead letter."""

Work = Coroutine[Any, Any, None]


def recording(bus: Bus, database: Database, now: Clock) -> list[Work]:
    """Assemble the work of the process; each coroutine goes on for ever.

    Args:
        bus: where the queues are; every stream and durable must be there.
        database: as the role `ingest_worker`.
        now: the clock.
    """
    plans = Plans(bus)
    attempts = Attempts(database, "ingest")
    housekeeper = Housekeeper(bus, database, plans, now)
    workers = [*_recorders(bus, database, attempts, now), *_consumers(bus, database, attempts, now)]
    return [plans.run(), housekeeper.run(), *(worker.run() for worker in workers)]


def _recorders(bus: Bus, database: Database, attempts: Attempts, now: Clock) -> list[Worker]:
    handler = Recorder(bus, RecordStore(database), Epoch(bus), now)
    return [
        Worker(
            bus,
            SCANS,
            recorder(lane),
            handler,
            attempts,
            at_once=_AT_ONCE,
            slots=slots,
            gather=_GATHER,
            needs=[database.ping],
        )
        for lane, slots in SLOTS.items()
    ]


def _consumers(bus: Bus, database: Database, attempts: Attempts, now: Clock) -> list[Worker]:
    letters = DeadLetterStore(database)
    tallies = TallyConsumer(TallyStore(database), letters, now)
    dead_letters = DeadLetterConsumer(letters, now)
    return [
        Worker(
            bus,
            stream,
            durable,
            handler,
            attempts,
            at_once=_AT_ONCE,
            gather=_GATHER_COUNTS,
            needs=[database.ping],
        )
        for stream, durable, handler in (
            (TALLY, TALLIES, tallies),
            (DEADLETTER, DEAD_LETTERS, dead_letters),
        )
    ]

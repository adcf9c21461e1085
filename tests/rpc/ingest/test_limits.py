"""What limits grant of a request reaches the device; what then is not stored is given back."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import Any

import pytest
from scanmesh.ingest.v1 import ingest_pb2, scan_pb2

from services.chassis import wire
from services.chassis.bus import Outcome
from services.chassis.errors import InvalidArgument, MeshError, Reason, ResourceExhausted, Unavailable
from services.chassis.identity import Signer
from services.chassis.subjects import Lane
from services.ingest import shedding
from services.ingest.backlog import Backlog
from services.ingest.shedding import Shedder
from tests.fakes import identities
from tests.fakes.bus import Message, RecordingBus
from tests.fakes.filling import Filling
from tests.fakes.ratelimit import FakeRateLimit, limit
from tests.fakes.scans import good_scan_of, scan
from tests.rpc.ingest import published
from tests.rpc.ingest.conftest import ACCEPTED, SHED_RATE
from tests.servers.polling import eventually
from tests.servers.rpc import failure, signed

SECOND = timedelta(seconds=1)
TOLD = ACCEPTED - timedelta(milliseconds=7)
"""The accept time that the service tells: not the one of ingest's own clock."""
MINUTE_FULL = limit("scanner.minute", 50, retry_delay=3 * SECOND)
QUOTA_FULL = limit("company.month", 100, retry_delay=30 * SECOND)
HALF_A_MESSAGE = 200 * 1_024


@pytest.fixture
def ratelimit() -> FakeRateLimit:
    return FakeRateLimit(TOLD)


def one(submitted: scan_pb2.Scan) -> ingest_pb2.SubmitScanRequest:
    return ingest_pb2.SubmitScanRequest(scan=submitted)


def many(*scans: scan_pb2.Scan, bulk: bool = False) -> ingest_pb2.SubmitScansRequest:
    return ingest_pb2.SubmitScansRequest(scans=scans, bulk=bulk)


def told(answer: ingest_pb2.SubmitScansResponse) -> list[tuple[int, str, float | None]]:
    """Index, reason and delay in seconds of each rejection."""
    return [
        (
            each.index,
            each.reason,
            each.retry_delay.ToTimedelta().total_seconds() if each.HasField("retry_delay") else None,
        )
        for each in answer.rejections
    ]


def shape(error: MeshError) -> tuple[type[MeshError], Reason, timedelta | None]:
    return type(error), error.reason, error.retry_delay


async def test_a_scan_is_accepted_when_the_service_says(
    ingest: Any, bus: RecordingBus, ratelimit: FakeRateLimit, scanner: Any
) -> None:
    answer = await ingest.SubmitScan(one(scan()), metadata=scanner)
    assert answer.accept_time.ToDatetime(UTC) == TOLD
    (submission,) = published.submissions(bus)
    assert submission.accept_time == wire.timestamp(TOLD)
    assert not submission.scans[0].HasField("scan_time")
    (spend,) = ratelimit.spends
    assert (spend.company_id, spend.scanner_id, spend.cost) == (
        identities.COMPANY_ID,
        identities.SCANNER_ID,
        1,
    )


async def test_the_scanners_type_goes_along(ingest: Any, ratelimit: FakeRateLimit, signer: Signer) -> None:
    await ingest.SubmitScan(one(scan()), metadata=signed(signer, identities.scanner(scanner_type="dock")))
    assert [spend.scanner_type for spend in ratelimit.spends] == ["dock"]


@pytest.mark.parametrize(
    ("refusing", "reason", "name"),
    [
        (MINUTE_FULL, Reason.RATE_LIMITED, "scanner.minute"),
        (QUOTA_FULL, Reason.QUOTA_EXCEEDED, "company.month"),
    ],
)
async def test_a_scan_beyond_a_limit_is_told_which_and_when_to_come_again(  # noqa: PLR0917 - fixtures
    ingest: Any,
    bus: RecordingBus,
    ratelimit: FakeRateLimit,
    scanner: Any,
    refusing: Any,
    reason: Reason,
    name: str,
) -> None:
    ratelimit.grant(0, refusing)
    error = await failure(ingest.SubmitScan(one(scan()), metadata=scanner))
    assert shape(error) == (ResourceExhausted, reason, refusing.retry_delay.ToTimedelta())
    assert name in error.message
    assert error.metadata == {"limit": name}
    assert [exceeded.field for exceeded in error.exceeded] == [name]
    assert bus.offered == []


async def test_the_first_scans_are_granted_and_the_others_come_again(
    ingest: Any, bus: RecordingBus, ratelimit: FakeRateLimit, scanner: Any
) -> None:
    ratelimit.grant(3, MINUTE_FULL)
    sent = [scan(data=str(number)) for number in range(5)]
    answer = await ingest.SubmitScans(many(*sent), metadata=scanner)
    assert answer.accepted_count == 3
    assert told(answer) == [(3, "RATE_LIMITED", 3), (4, "RATE_LIMITED", 3)]
    assert published.scans(bus) == sent[:3]


async def test_only_valid_scans_cost_and_are_granted_in_the_requests_order(
    ingest: Any, bus: RecordingBus, ratelimit: FakeRateLimit, scanner: Any
) -> None:
    ratelimit.grant(2, QUOTA_FULL)
    sent = [scan(data=""), scan(), scan(data=""), scan(), scan(), scan(data="")]
    answer = await ingest.SubmitScans(many(*sent), metadata=scanner)
    assert [spend.cost for spend in ratelimit.spends] == [3]
    assert answer.accepted_count == 2
    assert told(answer) == [
        (0, "INVALID_ARGUMENT", None),
        (2, "INVALID_ARGUMENT", None),
        (4, "QUOTA_EXCEEDED", 30),
        (5, "INVALID_ARGUMENT", None),
    ]
    assert published.scans(bus) == [sent[1], sent[3]]


async def test_nothing_is_spent_for_scans_that_are_all_bad(
    ingest: Any, ratelimit: FakeRateLimit, scanner: Any
) -> None:
    await ingest.SubmitScans(many(scan(data=""), scan_pb2.Scan()), metadata=scanner)
    assert type(await failure(ingest.SubmitScan(one(scan(data="")), metadata=scanner))) is InvalidArgument
    assert ratelimit.spends == []


async def test_a_batch_beyond_a_limit_is_refused_as_a_whole(
    ingest: Any, bus: RecordingBus, ratelimit: FakeRateLimit, scanner: Any
) -> None:
    ratelimit.grant(0, MINUTE_FULL)
    error = await failure(ingest.SubmitScans(many(scan(), scan()), metadata=scanner))
    assert shape(error) == (ResourceExhausted, Reason.RATE_LIMITED, 3 * SECOND)
    assert bus.offered == []


async def test_a_batch_in_part_beyond_a_limit_and_in_part_not_durable_is_unavailable(
    ingest: Any, bus: RecordingBus, ratelimit: FakeRateLimit, scanner: Any
) -> None:
    ratelimit.grant(1, QUOTA_FULL)
    bus.fate = lambda _: Outcome.UNKNOWN
    error = await failure(ingest.SubmitScans(many(scan(), scan()), metadata=scanner))
    assert shape(error) == (Unavailable, Reason.NOT_DURABLE, 30 * SECOND)


async def refunds(ratelimit: FakeRateLimit) -> list[tuple[str, int, int]]:
    async def refunded() -> bool:
        return bool(ratelimit.refunds)

    await eventually(refunded, "a refund")
    return ratelimit.refunds


async def test_scans_known_not_to_be_stored_are_given_back_and_unknown_ones_never(
    ingest: Any, bus: RecordingBus, ratelimit: FakeRateLimit, scanner: Any
) -> None:
    sent = [good_scan_of(HALF_A_MESSAGE) for _ in range(6)]  # two to a message

    def fate(message: Message) -> Outcome:
        return [Outcome.ACKED, Outcome.REFUSED, Outcome.UNKNOWN][bus.offered.index(message)]

    bus.fate = fate
    answer = await ingest.SubmitScans(many(*sent), metadata=scanner)
    [(*_, delay), *_] = told(answer)
    assert delay is not None
    assert 2 <= delay <= 4
    assert told(answer) == [(index, "NOT_DURABLE", delay) for index in (2, 3, 4, 5)]
    (spend,) = ratelimit.spends
    assert await refunds(ratelimit) == [(spend.spend_id, identities.COMPANY_ID, 2)]


async def test_nothing_is_given_back_when_all_are_stored_or_unknown(
    ingest: Any, bus: RecordingBus, ratelimit: FakeRateLimit, scanner: Any
) -> None:
    await ingest.SubmitScan(one(scan()), metadata=scanner)
    bus.fate = lambda _: Outcome.UNKNOWN
    await failure(ingest.SubmitScan(one(scan()), metadata=scanner))
    bus.fate = lambda _: Outcome.REFUSED
    await failure(ingest.SubmitScan(one(scan()), metadata=scanner))
    assert [spend_id for spend_id, *_ in await refunds(ratelimit)] == [ratelimit.spends[2].spend_id]


async def test_a_caller_that_hangs_up_does_not_keep_what_is_refused(
    ingest: Any, bus: RecordingBus, ratelimit: FakeRateLimit, scanner: Any
) -> None:
    async def offered() -> bool:
        return bool(bus.offered)

    bus.open.clear()
    bus.fate = lambda _: Outcome.REFUSED
    call = ingest.SubmitScan(one(scan()), metadata=scanner)
    await eventually(offered, "the publish to begin")
    call.cancel()
    await asyncio.wait([asyncio.ensure_future(call.code())])
    bus.open.set()
    assert [count for *_, count in await refunds(ratelimit)] == [1]


async def test_what_there_is_no_room_for_is_given_back_and_told_scan_by_scan(
    ingest: Any, bus: RecordingBus, ratelimit: FakeRateLimit, scanner: Any
) -> None:
    """There is room for 8 MiB: two batches of 3 MiB are taken, a third one is not, but for what is bad in it."""
    sent = [good_scan_of(HALF_A_MESSAGE) for _ in range(15)]

    async def both_are_offered() -> bool:
        # Those that come together share a spend.
        return sum(spend.cost for spend in ratelimit.spends) == 30 and len(bus.offered) == 2

    bus.open.clear()
    begun = [ingest.SubmitScans(many(*sent), metadata=scanner) for _ in range(2)]
    await eventually(both_are_offered, "both batches to be offered")
    await asyncio.sleep(0.2)  # most of them wait behind the first messages
    answer = await ingest.SubmitScans(many(*sent, scan(data="")), metadata=scanner)
    *refused, (index, reason, delay) = told(answer)
    assert [each[:2] for each in refused] == [(index, "OVERLOADED") for index in range(15)]
    assert all(1 <= retry_delay <= 2 for *_, retry_delay in refused)
    assert (index, reason, delay) == (15, "INVALID_ARGUMENT", None)
    assert [count for *_, count in await refunds(ratelimit)] == [15]
    bus.open.set()
    assert [(await call).accepted_count for call in begun] == [15, 15]


async def test_without_the_service_scans_are_accepted_within_this_process_own_buckets(
    ingest: Any, bus: RecordingBus, ratelimit: FakeRateLimit, signer: Signer
) -> None:
    ratelimit.fail(Unavailable("away"))
    metadata = signed(signer, identities.scanner(scanner_type="handheld"))
    bus.fate = lambda _: Outcome.REFUSED
    for _ in range(3):
        await failure(ingest.SubmitScan(one(scan()), metadata=metadata))
    bus.fate = lambda _: Outcome.ACKED
    answer = await ingest.SubmitScans(many(*(scan() for _ in range(60))), metadata=metadata)
    assert answer.accepted_count == 47
    assert {reason for _, reason, _ in told(answer)} == {"RATE_LIMITED"}
    assert {submission.accept_time.ToDatetime(UTC) for submission in published.submissions(bus)} == {ACCEPTED}
    assert ratelimit.refunds == []
    assert len(ratelimit.spends) == 6  # two by each of the first three calls


class Counted:
    """Stands in for a counter."""

    def __init__(self) -> None:
        self.attributes: list[dict[str, str]] = []

    def add(self, amount: int, attributes: dict[str, str]) -> None:
        self.attributes += [attributes] * amount


@pytest.fixture
def shed_requests(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted()
    monkeypatch.setattr(shedding, "_shed", counted)
    return counted


async def test_more_requests_than_can_be_served_are_sent_away_bulk_first_and_spend_nothing(
    ingest: Any, shedder: Shedder, ratelimit: FakeRateLimit, scanner: Any, shed_requests: Counted
) -> None:
    for _ in range(SHED_RATE - 1):  # half of them leak away in half a second
        shedder.admit(Lane.PREMIUM)
    error = await failure(ingest.SubmitScans(many(scan(data=""), bulk=True), metadata=scanner))
    assert shape(error)[:2] == (Unavailable, Reason.OVERLOADED)
    assert 1 <= error.retry_delay.total_seconds() <= 2
    assert ratelimit.spends == []
    assert shed_requests.attributes == [{"lane": "bulk", "cause": "rate"}]
    assert (await ingest.SubmitScans(many(scan()), metadata=scanner)).accepted_count == 1


@pytest.fixture
async def little_room(backlog: Backlog, filling: Filling) -> None:
    filling.share = 0.9
    await backlog.look()


@pytest.mark.usefixtures("little_room")
async def test_a_backlog_refuses_bulk_before_it_looks_or_spends_and_leaves_premium_alone(
    ingest: Any, ratelimit: FakeRateLimit, scanner: Any, shed_requests: Counted
) -> None:
    error = await failure(ingest.SubmitScans(many(scan(data=""), bulk=True), metadata=scanner))
    assert shape(error)[:2] == (Unavailable, Reason.OVERLOADED)
    assert error.retry_delay
    assert ratelimit.spends == []
    assert shed_requests.attributes == [{"lane": "bulk", "cause": "room"}]
    assert (await ingest.SubmitScans(many(scan()), metadata=scanner)).accepted_count == 1

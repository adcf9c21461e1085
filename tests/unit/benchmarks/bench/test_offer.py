"""A mesh that answers at once, one that never answers, one that refuses, and one that serves only so many a second."""

from __future__ import annotations

import asyncio
import time

from benchmarks.bench.offer import Load, Offered, offer, peak


async def at_once() -> int:
    return 10


async def never() -> int:
    await asyncio.Event().wait()
    return 10


async def test_what_is_answered_at_once_is_reached():
    offered = await offer(Load(at_once, 10, 4), 2_000, 0.2)
    assert offered.reached
    assert offered.accepted == offered.in_time == 400
    assert len(offered.latencies) == 40


async def test_a_load_is_whole_when_every_scan_of_its_calls_was_accepted():
    async def one_refused() -> int:
        nonlocal calls
        calls += 1
        return 0 if calls == 7 else 10

    calls = 0
    uneven = await offer(Load(at_once, 10, 4), 2_004, 0.5)  # 1 002 scans are no whole number of calls
    assert (uneven.sent, uneven.whole) == (1_000, True)
    refused = await offer(Load(one_refused, 10, 4), 2_004, 0.5)
    assert (refused.reached, refused.whole) == (True, False)


async def test_what_is_never_answered_is_broken_off():
    async with asyncio.timeout(5):
        offered = await offer(Load(never, 10, 4), 2_000, 60)
    assert offered.overrun
    assert not offered.reached


async def test_what_is_refused_now_and_then_is_not_reached():
    calls = 0

    async def every_twentieth_refused() -> int:
        nonlocal calls
        calls += 1
        return 0 if calls % 20 == 0 else 10

    offered = await offer(Load(every_twentieth_refused, 10, 4), 2_000, 0.2)
    assert not offered.overrun
    assert offered.accepted == 380
    assert not offered.reached


async def test_a_call_counts_from_when_it_was_due():
    tenth = asyncio.Event()
    calls = 0

    async def first_after_the_tenth() -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            await tenth.wait()
        elif calls == 10:
            tenth.set()
        return 1

    offered = await offer(Load(first_after_the_tenth, 1, 100), 100, 0.12)
    assert max(offered.latencies) >= 0.085


async def test_what_keeps_the_generator_from_calling_counts_as_well():
    calls = 0

    async def standing_still_at_first() -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            time.sleep(0.1)  # noqa: ASYNC251 - nothing else may run
        return 1

    offered = await offer(Load(standing_still_at_first, 1, 100), 100, 0.12)
    assert sum(latency >= 0.04 for latency in offered.latencies) >= 5  # due 10, 20, ... ms after the first


async def test_what_is_answered_after_the_end_is_not_reached():
    async def late() -> int:
        await asyncio.sleep(0.4)
        return 1

    offered = await offer(Load(late, 1, 100), 100, 0.05)
    assert (offered.accepted, offered.in_time) == (5, 0)


def test_what_is_accepted_after_the_end_does_not_count():
    assert Offered(1_000, 10, accepted=10_000, in_time=9_800).reached
    assert not Offered(1_000, 10, accepted=10_000, in_time=9_799).reached
    assert not Offered(1_000, 10, accepted=10_000, in_time=10_000, overrun=True).reached


async def test_every_answer_of_every_caller_counts_for_the_peak():
    answers = 0

    async def soon() -> int:
        nonlocal answers
        await asyncio.sleep(0)  # others come in between
        answers += 10
        return 10

    loop = asyncio.get_running_loop()
    start = loop.time()
    rate = await peak(Load(soon, 10, 50), 0.1, warm_up=0.0)
    elapsed = loop.time() - start
    assert 0.9 * answers <= rate * elapsed <= 1.1 * answers


async def test_what_is_accepted_while_caches_are_cold_does_not_count_for_the_peak():
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def only_at_first() -> int:
        await asyncio.sleep(0.001)
        return 1 if loop.time() < start + 0.1 else 0

    assert await peak(Load(only_at_first, 1, 4), 0.1, warm_up=0.1) == 0.0

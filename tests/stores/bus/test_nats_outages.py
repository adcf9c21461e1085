"""Only a real server is frozen, killed or full: what is then known of a message, and what is stored of it."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from pathlib import Path

from services.chassis import bus
from services.chassis.bus import Bus, Outcome
from services.chassis.settings import Secret
from tests.servers.nats import NatsServer
from tests.servers.polling import eventually
from tests.stores.bus.streams import QUEUE, make, payloads, publish


def loop_time() -> float:
    return asyncio.get_running_loop().time()


async def connected(real: Bus) -> None:
    """Return when what was sent over a connection before has been taken by the server, and a new message is."""
    await real.until_connected()
    assert await publish(real, b"marker") is Outcome.ACKED


async def test_frozen_a_message_is_unknown_at_its_deadline_and_stored_at_most_once(
    nats: NatsServer, real: Bus
) -> None:
    nats.freeze()
    begun = loop_time()
    assert await publish(real, b"one", seconds=1.5) is Outcome.UNKNOWN  # two attempts
    assert 1.5 <= loop_time() - begun < 2
    nats.thaw()
    await connected(real)
    assert await payloads(real) == [b"one", b"marker"]


async def test_frozen_for_a_while_a_message_is_acked_and_stored_once(nats: NatsServer, real: Bus) -> None:
    nats.freeze()
    publishing = asyncio.create_task(publish(real, b"one"))
    await asyncio.wait([publishing], timeout=1.2)  # beyond the first attempt
    assert not publishing.done()
    nats.thaw()
    assert await publishing is Outcome.ACKED
    assert await payloads(real) == [b"one"]


async def test_what_piled_up_for_a_lost_connection_is_not_sent_over_the_next(
    nats: NatsServer, real: Bus
) -> None:
    nats.freeze()
    outcomes = await asyncio.gather(*(publish(real, bytes(500_000), seconds=0.5) for _ in range(40)))
    assert set(outcomes) == {Outcome.UNKNOWN}
    nats.kill()
    nats.start()
    await connected(real)
    assert await payloads(real) == [b"marker"]


async def test_a_publish_that_meets_a_restart_is_acked_and_stored_once(nats: NatsServer, real: Bus) -> None:
    nats.freeze()
    publishing = asyncio.create_task(publish(real, b"one"))
    await asyncio.wait([publishing], timeout=0.05)
    nats.kill()
    nats.start()
    assert await publishing is Outcome.ACKED
    assert await payloads(real) == [b"one"]


async def test_killed_while_publishing_every_message_is_what_it_was_said_to_be(
    nats: NatsServer, real: Bus
) -> None:
    outcomes: dict[bytes, Outcome] = {}
    enough = asyncio.Event()

    async def keep_publishing() -> None:
        while not enough.is_set():
            name = secrets.token_hex(8).encode()
            outcomes[name] = await publish(real, name, message_id=name.decode(), seconds=3)
            await asyncio.sleep(0.001)  # while it is down, refusals come at once

    def acked() -> int:
        return sum(outcome is Outcome.ACKED for outcome in outcomes.values())

    async def some_more(than: int) -> None:
        async def reached() -> bool:
            return acked() >= than + 40

        await eventually(reached, "messages to be acked")

    publishers = [asyncio.create_task(keep_publishing()) for _ in range(20)]
    for _ in range(2):
        await some_more(than=acked())
        nats.kill()
        nats.start()
    await some_more(than=acked())
    enough.set()
    await asyncio.gather(*publishers)

    stored = Counter(await payloads(real))
    assert {name: stored[name] for name, outcome in outcomes.items() if outcome is Outcome.ACKED} == {
        name: 1 for name, outcome in outcomes.items() if outcome is Outcome.ACKED
    }
    assert not [name for name, outcome in outcomes.items() if outcome is Outcome.REFUSED and stored[name]]
    assert set(stored.values()) == {1}


async def test_a_full_stream_refuses_and_what_was_acked_stays(nats: NatsServer) -> None:
    async with bus.connected(nats.url, "tests") as small:
        await make(small, max_bytes=50_000)
        outcomes = [await publish(small, bytes([index]) * 4_000) for index in range(20)]
        taken = outcomes.count(Outcome.ACKED)
        assert 5 < taken < 15
        assert outcomes == [Outcome.ACKED] * taken + [Outcome.REFUSED] * (20 - taken)
        assert await payloads(small) == [bytes([index]) * 4_000 for index in range(taken)]


async def test_when_one_of_several_servers_freezes_another_is_found(nats: NatsServer, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = NatsServer(tmp_path / "other")
    other.start()
    try:
        async with bus.connected(other.url, "tests") as one:
            await make(one)
        async with bus.connected(Secret(f"{nats.url.reveal()},{other.url.reveal()}"), "tests") as either:
            await either.until_connected()
            nats.freeze()
            # Far more than the sockets hold: whoever insists on sending it first waits for the frozen one for ever.
            outcomes = await asyncio.gather(
                *(publish(either, bytes(500_000), seconds=0.5) for _ in range(40))
            )
            assert set(outcomes) == {Outcome.UNKNOWN}
            await either.until_required(QUEUE)
            assert await publish(either, b"there") is Outcome.ACKED
            assert await payloads(either) == [b"there"]
    finally:
        other.kill()

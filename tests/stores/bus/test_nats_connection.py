"""Only a real connection is made and broken."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from nats.aio.client import Client

from services.chassis import bus
from services.chassis.bus import Bus, Outcome
from services.chassis.errors import Unavailable
from services.chassis.settings import Secret
from tests.servers.nats import NatsServer
from tests.servers.polling import eventually
from tests.stores.bus.streams import publish


async def test_a_bus_is_there_before_its_server(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    try:
        async with bus.connected(server.url, "tests") as early:
            with pytest.raises(Unavailable):
                await early.ping()
            assert await publish(early, b"early") is Outcome.REFUSED
            server.start()
            await early.until_connected()
            await early.ping()
    finally:
        server.kill()


async def test_a_server_that_comes_back_is_found(nats: NatsServer, real: Bus) -> None:
    for _ in range(3):
        nats.kill()
        await lost(real)
        nats.start()
        await real.until_connected()
        assert await publish(real, b"one") is Outcome.ACKED


@pytest.mark.parametrize("leaked", [asyncio.CancelledError, RuntimeError])
async def test_a_library_that_fails_to_close_costs_one_connection_only(
    nats: NatsServer, real: Bus, monkeypatch: pytest.MonkeyPatch, leaked: type[BaseException]
) -> None:
    close = Client.close

    async def close_and_fail(client: Client) -> None:
        await close(client)
        raise leaked

    monkeypatch.setattr(Client, "close", close_and_fail)
    nats.kill()
    await lost(real)
    nats.start()
    async with asyncio.timeout(5):
        await real.until_connected()
    assert await publish(real, b"one") is Outcome.ACKED


async def test_leaving_waits_for_no_frozen_server(nats: NatsServer) -> None:
    loop = asyncio.get_running_loop()
    async with bus.connected(nats.url, "tests") as left:
        await left.until_connected()
        nats.freeze()
        await asyncio.gather(*(publish(left, bytes(500_000), seconds=0.1) for _ in range(40)))
        begun = loop.time()
    assert loop.time() - begun < 0.5


async def test_leaving_at_once_is_no_error(nats: NatsServer) -> None:
    with pytest.raises(KeyError):
        async with bus.connected(nats.url, "tests"):
            raise KeyError


async def test_what_fails_inside_leaves_as_it_is(nats: NatsServer) -> None:
    with pytest.raises(KeyError):  # noqa: PT012 - the block is what is tested
        async with bus.connected(nats.url, "tests") as left:
            await left.until_connected()
            raise KeyError


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nats",
        "nats://",
        "nats://user:hush@",
        "http://user:hush@127.0.0.1:4222",
        "nats://user:hush@127.0.0.1",
        "nats://user:hush@127.0.0.1:many",
        "nats://user:hush@127.0.0.1:4222,",
    ],
)
async def test_an_address_that_is_none_is_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        async with bus.connected(Secret(url), "tests"):
            pass
    assert "hush" not in str(caught.value)


async def test_whatever_listens_on_the_port_meanwhile_is_outwaited(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    calls = 0

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.write([b"HTTP/1.1 400 Bad Request\r\n\r\n", b"INFO {}\r\n", b"INFO\r\n", b""][calls % 4])
        writer.close()

    async def called_often() -> bool:
        return calls >= 8

    stranger = await asyncio.start_server(greet, "127.0.0.1", server.port)
    try:
        async with bus.connected(server.url, "tests") as patient:
            await eventually(called_often, "the stranger to be called")
            stranger.close()
            server.start()
            await patient.until_connected()
    finally:
        server.kill()


async def test_a_wrong_password_is_no_connection(nats: NatsServer) -> None:
    wrong = Secret(nats.url.reveal().replace("not-a-secret", "wrong"))
    async with bus.connected(wrong, "tests") as refused:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await refused.until_connected()
        assert await publish(refused, b"one") is Outcome.REFUSED


async def lost(real: Bus) -> None:
    """Return when the loss of the connection was noticed."""

    async def noticed() -> bool:
        try:
            await real.ping()
        except Unavailable:
            return True
        return False

    await eventually(noticed, "the loss to be noticed")

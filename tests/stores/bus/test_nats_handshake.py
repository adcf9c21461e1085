"""A peer that breaks off the handshake, wherever it does: the next attempt is made all the same."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from services.chassis import bus
from services.chassis.settings import Secret
from tests.servers.polling import eventually

_INFO = b'INFO {"server_id":"x","version":"2.15.0","proto":1,"headers":true,"max_payload":1048576}\r\n'
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_ATTEMPTS = 5

Step = Callable[[socket.socket], object]


def nothing(_: socket.socket) -> None:
    return


def info(peer: socket.socket) -> None:
    peer.sendall(_INFO)


def after_connect(peer: socket.socket) -> None:
    peer.sendall(_INFO)
    peer.recv(4096)


def after_pong(peer: socket.socket) -> None:
    after_connect(peer)
    peer.sendall(b"PONG\r\n")


def after_error(peer: socket.socket) -> None:
    after_connect(peer)
    peer.sendall(b"-ERR 'go away'\r\n")


@contextmanager
def rude_peer(step: Step, *, reset: bool, met: list[str]) -> Iterator[int]:
    """Break each connection off after `step`; a thread, for what it sends must arrive together with the end."""

    def serve() -> None:
        while True:
            peer, _ = listener.accept()
            if over.is_set():
                peer.close()
                return
            met.append(step.__name__)
            if reset:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            step(peer)
            peer.close()

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join()


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("step", [nothing, info, after_connect, after_pong, after_error])
async def test_handshake_broken_off_is_tried_again(step: Step, *, reset: bool) -> None:
    met: list[str] = []

    async def often_enough() -> bool:
        return len(met) >= _ATTEMPTS

    with rude_peer(step, reset=reset, met=met) as port:
        async with bus.connected(Secret(f"nats://127.0.0.1:{port}"), "test"):
            await eventually(often_enough, f"{_ATTEMPTS} attempts")

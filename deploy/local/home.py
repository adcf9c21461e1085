"""The home folder of one mesh: where everything lies, and how files in it are written."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.failures import CannotStart


@dataclass(frozen=True, slots=True)
class Home:
    """Names the files of one mesh; nobody but its owner may enter the folder."""

    root: Path

    @property
    def mesh_file(self) -> Path:
        """What is running and how to reach it, for tests and tools."""
        return self.root / "mesh.json"

    @property
    def state_file(self) -> Path:
        """The supervisor's own book of parts and processes."""
        return self.root / "state.json"

    @property
    def lock_file(self) -> Path:
        """Locked by the supervisor for as long as it lives."""
        return self.root / "supervisor.lock"

    @property
    def secrets_file(self) -> Path:
        """The seed of every password of this mesh."""
        return self.root / "secrets.json"

    @property
    def ports_file(self) -> Path:
        """The ports picked at the last start."""
        return self.root / "ports.json"

    @property
    def demo_file(self) -> Path:
        """The demo company and its credentials."""
        return self.root / "demo.json"

    @property
    def holds(self) -> Path:
        """One empty file for each part that is to stay down."""
        return self.root / "hold"

    @property
    def drop_ins(self) -> Path:
        """Extra environment for single parts."""
        return self.root / "env"

    def drop_in(self, name: str) -> Path:
        """Answer the file with the extra environment of a part or process."""
        return self.drop_ins / f"{name}.json"

    @property
    def etc(self) -> Path:
        """Rendered configuration."""
        return self.root / "etc"

    @property
    def data(self) -> Path:
        """What PostgreSQL and NATS store."""
        return self.root / "data"

    @property
    def tls(self) -> Path:
        """The mesh's own CA and the edge's certificate."""
        return self.root / "tls"

    @property
    def ca(self) -> Path:
        """What a client of the edge's TLS port trusts."""
        return self.tls / "ca.pem"

    @property
    def certificate(self) -> Path:
        """The edge's certificate and the CA's."""
        return self.tls / "edge.pem"

    @property
    def certificate_key(self) -> Path:
        """The key of the edge's certificate."""
        return self.tls / "edge-key.pem"

    @property
    def identity(self) -> Path:
        """What signs and verifies identity tokens."""
        return self.root / "identity"

    @property
    def signing_key(self) -> Path:
        """Auth's Ed25519 key."""
        return self.identity / "signing-key.pem"

    @property
    def jwks(self) -> Path:
        """The public half of the signing key, for every service."""
        return self.identity / "jwks.json"

    @property
    def logs(self) -> Path:
        """What the parts wrote."""
        return self.root / "log"

    def log(self, part: str) -> Path:
        """Answer the log file of a part."""
        return self.logs / f"{part}.log"

    def _folders(self) -> tuple[Path, ...]:
        within = (self.holds, self.drop_ins, self.etc, self.data, self.tls, self.identity, self.logs)
        return (self.root, *within)

    def create(self) -> None:
        """Make the folder and its subfolders, mode 700.

        Raises:
            CannotStart: it cannot be made, or another user owns it.
        """
        try:
            for folder in self._folders():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root.chmod(0o700)
        except OSError as error:
            message = (
                f"{self.root} cannot be used ({error.strerror}): set SCANMESH_HOME to a folder of your own"
            )
            raise CannotStart(message) from error


def write_private(path: Path, text: str, *, durable: bool = False) -> None:
    """Replace a file in one step, mode 600: a reader sees the old text or the new one, never a part.

    Args:
        path: the file.
        text: all it will hold.
        durable: also survive a power cut right after the call.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:  # a full disk: it must not fill up with what could not be written
        Path(name).unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

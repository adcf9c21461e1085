"""The disk of streams and tables, where ingest shares a machine with them: what is accepted must fit on it to the end."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from services.chassis.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Disk:
    """One, and the part of it that no scan may have."""

    folder: Path
    """Any on it."""
    reserve: int
    """Bytes kept free for what grows without a new scan."""

    def taken(self, promised: int) -> float:
        """Answer the share of its free room that is spoken for; 1 or more: all of it.

        Args:
            promised: bytes that what has been accepted will still take.

        Raises:
            Unavailable: it cannot be looked at.
        """
        try:
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise Unavailable(f"the disk cannot be looked at: {error}") from error
        return (self.reserve + promised) / max(1, free)

"""Where the servers' programs lie inside their wheels."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path


def in_wheel(distribution: str, ending: str) -> str:
    """Answer the path of the file of an installed wheel whose path ends like this, at a slash.

    Raises:
        FileNotFoundError: the wheel has no such file.
    """
    for file in metadata.files(distribution) or ():
        if f"/{file}".endswith(f"/{ending}"):
            return str(Path(file.locate()).resolve())
    raise FileNotFoundError(f"{distribution} holds no {ending}")

"""Python imports this first of all where the folder is on PYTHONPATH: a process without `SCANMESH_PLANT` is untouched."""

from __future__ import annotations

import os

if "SCANMESH_PLANT" in os.environ:
    import planted  # type: ignore[import-not-found]  # beside this file, which is on PYTHONPATH

    planted.install(planted.read(os.environ["SCANMESH_PLANT"]))

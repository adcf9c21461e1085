"""What PostgreSQL itself refuses, whatever a query asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.chassis.errors import Unavailable


@contextmanager
def refused(words: str) -> Iterator[None]:
    """Expect PostgreSQL to refuse in these words (a pattern); who called hears that it cannot be done for now."""
    with pytest.raises(Unavailable) as failure:
        yield
    assert re.search(words, str(failure.value.__cause__))

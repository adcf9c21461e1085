from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from services.auth.__main__ import MIGRATIONS
from services.chassis import database
from tests.servers.postgres import PostgresServer

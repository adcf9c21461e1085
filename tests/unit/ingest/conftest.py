"""What tests of the limiter have in common: a service that is told what to answer, and calls as ingest makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.ingest import errands
from services.ingest.breaker import Breaker
from services.ingest.errands import Errands
from services.ingest.limiter import Limiter
from services.ingest.ratelimit import RateLimit
from tests.fakes.auth import SettableClock
from tests.fakes.monotonic import Monotonic
from tests.fakes.plans import FakePlans
from tests.fakes.ratelimit import FakeRateLimit
from tests.unit.ingest.limiting import NOW, SECOND, TOLD


@pytest.fixture
def service() -> FakeRateLimit:
    return FakeRateLimit(TOLD)


@pytest.fixture
def time() -> Monotonic:
    return Monotonic()


@pytest.fixture
async def begun() -> AsyncIterator[Errands]:
    async with errands.running() as begun:
        yield begun


@pytest.fixture
def plans() -> FakePlans:
    return FakePlans()


@pytest.fixture
def limiter(service: FakeRateLimit, time: Monotonic, begun: Errands, plans: FakePlans) -> Limiter:
    asked = RateLimit(service, Breaker(SECOND, time))  # type: ignore[arg-type]
    return Limiter(asked, begun, SettableClock(NOW), plans.of)

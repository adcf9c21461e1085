from __future__ import annotations

from datetime import timedelta

from services.auth.recent import Recent

SECOND = timedelta(seconds=1)


def test_a_value_is_kept_until_its_time(clock):
    recent = Recent(3)
    recent.put("a", 1, clock() + SECOND)
    assert recent.get("a", clock()) == 1
    clock.advance(SECOND)
    assert recent.get("a", clock()) is None
    assert len(recent) == 0


def test_the_one_least_recently_used_goes_first(clock):
    recent = Recent(2)
    recent.put("a", 1, clock() + SECOND)
    recent.put("b", 2, clock() + SECOND)
    recent.get("a", clock())
    recent.put("c", 3, clock() + SECOND)
    assert [recent.get(key, clock()) for key in "abc"] == [1, None, 3]


def test_a_value_replaces_the_one_before(clock):
    recent = Recent(2)
    recent.put("a", 1, clock() + SECOND)
    recent.put("a", 2, clock() + SECOND)
    assert (recent.get("a", clock()), len(recent)) == (2, 1)

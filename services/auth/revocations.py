"""The changes of the last two hours, and whether the feed that brings them is alive.

A cached credential is trusted only by asking here. Two hours are enough: no cache keeps a record for longer than
one. An entry is never removed by what happens to a cache, so a record that was read before a change and cached after
it is outdated whenever it is looked at.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from math import inf
from time import monotonic

from services.auth.credentials import COMPANY, Credential

KEPT = timedelta(hours=2)
MAX_SILENCE = timedelta(seconds=1)
"""How old the last beat may be. Beats come every 250 ms; three may be lost."""

_NEVER = datetime.min.replace(tzinfo=UTC)


class Revocations:
    """The greatest published revision of every company, holder and credential changed lately."""

    def __init__(self, elapsed: Callable[[], float] = monotonic) -> None:
        """Begin with none.

        Args:
            elapsed: seconds since some moment, by a clock that nobody sets.
        """
        self._elapsed = elapsed
        self._revisions: OrderedDict[tuple[int, str], tuple[int, datetime]] = OrderedDict()
        self._last_beat = _NEVER
        self._last_beat_elapsed = -inf

    def apply(self, company_id: int, subjects: Iterable[str], revision: int, now: datetime) -> None:
        """Learn of a change; older and repeated news change nothing."""
        for subject in subjects:
            key = (company_id, subject)
            known, _ = self._revisions.pop(key, (0, now))
            self._revisions[key] = (max(known, revision), now)
        self._forget(now - KEPT)

    def beat(self, beat_time: datetime, now: datetime) -> None:
        """Learn that the feed had delivered everything sent before `beat_time`, by whichever replica's clock.

        A beat counts from when it was sent, so a reader that catches up is not deceived by beats it finds on the
        way; a sender whose clock is fast cannot make one count from later than its arrival.
        """
        age = max(now - beat_time, timedelta())
        elapsed = self._elapsed() - age.total_seconds()
        if elapsed > self._last_beat_elapsed:
            self._last_beat, self._last_beat_elapsed = now - age, elapsed

    def alive(self, now: datetime) -> bool:
        """Tell whether everything published until a second ago is known here.

        By both clocks: the one that tells the time may be set back, the other one stands still while the machine
        is suspended.
        """
        silence = self._elapsed() - self._last_beat_elapsed
        return now - self._last_beat <= MAX_SILENCE and silence <= MAX_SILENCE.total_seconds()

    def outdated(self, credential: Credential) -> bool:
        """Tell whether a change is known that the record does not contain."""
        company = credential.company_id
        return (
            self._revision(company, COMPANY) > credential.company_revision
            or self._revision(company, credential.holder_id) > credential.holder_revision
            or self._revision(company, credential.credential_id) > credential.revision
        )

    def _revision(self, company_id: int, subject: str) -> int:
        entry = self._revisions.get((company_id, subject))
        return entry[0] if entry is not None else 0

    def _forget(self, before: datetime) -> None:
        while self._revisions:
            key = next(iter(self._revisions))
            if self._revisions[key][1] >= before:
                return
            del self._revisions[key]

"""The client's book: what became of every attempt to hand over a scan, and when; and what broke the contract."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable

from benchmarks.books.claims import Claims, Key, Sent
from benchmarks.chaos.parcel import Parcel
from benchmarks.client.answer import Answer, Duty, Fate
from benchmarks.scan import Scan

_MOST_BREACHES = 100


class Journal:
    """One run's book. Moments are of the monotonic clock, as the event loop's."""

    def __init__(self) -> None:
        self.offered = 0
        """Scans that were sent for the first time."""
        self.withheld = 0
        """Scans that devices did not take because they still kept so many others."""
        self.arrivals: list[float] = []
        """When scans were accepted for the first time, in order."""
        self.acceptances: list[float] = []
        """When scans were accepted, those that had been accepted before among them, in order."""
        self.failures: list[float] = []
        """When attempts ended whose outcome the client does not know, in order."""
        self.breaches: list[str] = []
        self.outcomes: Counter[str] = Counter()
        """Attempts by what came of them."""
        self._fates: dict[Key, set[Fate]] = {}
        self._under_way: Counter[Key] = Counter()
        self._contents: dict[Key, set[Scan]] = defaultdict(set)
        self._sent: dict[Key, Counter[Sent]] = defaultdict(Counter)
        """Attempts that may have stored it, those under way among them, by what they carried."""

    def begin(self, parcel: Parcel, scans: Iterable[Scan]) -> None:
        """Note that scans of a parcel are being sent: whatever happens to this process now, they may be stored."""
        for scan in scans:
            key = parcel.device.company_id, scan.scan_id
            self._sent[key][parcel.sent(scan)] += 1
            if key not in self._fates:
                self._fates[key] = set()
                self.offered += 1
            self._under_way[key] += 1

    def end(self, parcel: Parcel, scan: Scan, answer: Answer) -> None:
        """Note what was said of a scan that was being sent."""
        company_id = parcel.device.company_id
        key, now = (company_id, scan.scan_id), time.monotonic()
        self._under_way[key] -= 1
        if answer.fate is Fate.ACCEPTED and Fate.ACCEPTED not in self._fates[key]:
            self.arrivals.append(now)
        self._fates[key].add(answer.fate)
        self.outcomes[answer.reason or ("no answer" if answer.text else "accepted")] += 1
        if answer.fate is Fate.ACCEPTED:
            self.acceptances.append(now)
            self._contents[key].add(scan)
        elif answer.fate is Fate.UNKNOWN:
            self.failures.append(now)
        else:
            self._sent[key][parcel.sent(scan)] -= 1
        breach = _breach(scan, answer)
        if breach and len(self.breaches) < _MOST_BREACHES:
            self.breaches.append(f"company {company_id}: scan {scan.scan_id}: {breach}")

    def claims(self) -> Claims:
        """Close the book: what is still under way is unknown."""
        accepted = {key for key, fates in self._fates.items() if Fate.ACCEPTED in fates}
        unknown = {
            key
            for key, fates in self._fates.items()
            if key not in accepted and (Fate.UNKNOWN in fates or self._under_way[key] > 0)
        }
        contents = {key: len(scans) for key, scans in self._contents.items() if len(scans) > 1}
        sent = {key: (+attempts).keys() for key, attempts in self._sent.items()}
        return Claims(accepted, unknown, self._fates.keys() - accepted - unknown, contents, sent)


def _breach(scan: Scan, answer: Answer) -> str:
    """Tell what of the contract an answer breaks, if any."""
    if answer.malformed:
        return f"an answer that is not of the contract's form: {answer.text}"
    if answer.duty is Duty.STOP:
        return f"a valid key was refused: {answer.reason}"
    if scan.good and answer.duty is Duty.DROP:
        return f"a good scan was to be dropped: {answer.reason}"
    if not scan.good and answer.duty is Duty.DONE:
        return "a scan that breaks the rules was accepted"
    return ""

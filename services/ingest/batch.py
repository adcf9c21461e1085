"""How a batch is answered: scan by scan where that helps the device, as a whole where it must keep everything.

A bad scan never sinks the good ones. The call as a whole is refused only when every scan of it is to be kept and
sent again: then one retry delay, the longest, is true for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.chassis.errors import MeshError, Reason, ResourceExhausted, Unavailable, Violation

MAX_SCANS = 1_000
_LIMITS = frozenset({Reason.RATE_LIMITED, Reason.QUOTA_EXCEEDED})


@dataclass(frozen=True, slots=True)
class Rejection:
    """One scan that was not accepted; without a retry delay it never will be."""

    index: int
    scan_id: str
    reason: Reason
    violations: tuple[Violation, ...] = ()
    retry_delay: timedelta | None = None
    limit: str = ""
    """The limit that refused it, if one did."""

    @property
    def beyond_limit(self) -> bool:
        """Whether it was refused by a limit or quota of its sender's."""
        return self.reason in _LIMITS


def refusal(accepted_count: int, rejections: Sequence[Rejection]) -> MeshError | None:
    """Answer the error with which the whole call is refused, or None when it is answered scan by scan."""
    delays = [rejection.retry_delay for rejection in rejections if rejection.retry_delay is not None]
    if accepted_count or not rejections or len(delays) < len(rejections):
        return None
    others = [rejection.reason for rejection in rejections if not rejection.beyond_limit]
    kind, reason = (Unavailable, others[0]) if others else (ResourceExhausted, rejections[0].reason)
    return kind(
        "no scan of the batch was accepted; send it again later", reason=reason, retry_delay=max(delays)
    )

"""What an answer means: to the books of a client, and by the one rule for devices.

To the books only what was refused before it could be stored is *refused*. A server error is *unknown*: NOT_DURABLE by
the contract, and whatever else the edge says of a call that it may have passed on before something died.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_DOMAIN = "scanmesh.dev"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_MAY_BE_STORED = frozenset(
    {"NOT_DURABLE", "DEPENDENCY_UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "REQUEST_TIMEOUT"}
)
"""Said of a call that something may have become of, with a retry delay or, against the contract, without."""
_KEY_IS_BAD = frozenset(
    {
        "CREDENTIALS_INVALID",
        "TOKEN_EXPIRED",
        "PERMISSION_DENIED",
        "ADDRESS_NOT_ALLOWED",
        "COMPANY_SUSPENDED",
    }
)


class Fate(StrEnum):
    """What the client's books say of a scan after an attempt."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Duty(StrEnum):
    """What the contract wants of the device next."""

    DONE = "done"
    AGAIN = "send it again"
    DROP = "drop it"
    STOP = "ask for a new key"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt to hand over one scan has led to."""

    fate: Fate
    reason: str = ""
    """The ErrorReason; empty if the scan was accepted, or there was no answer of the contract's form."""
    retry_delay: float | None = None
    """Seconds."""
    text: str = ""
    """Of an answer that is not of the contract's form, or of the lack of any: what was seen instead."""
    malformed: bool = False
    """Whether a whole answer came, and is not of the contract's form."""

    @property
    def duty(self) -> Duty:
        """Apply the one rule for devices."""
        if self.fate is Fate.ACCEPTED:
            return Duty.DONE
        if self.reason in _KEY_IS_BAD:
            return Duty.STOP
        if self.retry_delay is not None or not self.reason:
            return Duty.AGAIN
        return Duty.DROP


ACCEPTED = Answer(Fate.ACCEPTED)
NOT_THE_FORM = (TypeError, KeyError, ValueError, AttributeError)
"""Raised by reading an answer that is not of the contract's form."""


def refusal(reason: str, retry_delay: float | None) -> Answer:
    """Answer what an error of the contract's form means."""
    certain = reason not in _MAY_BE_STORED
    return Answer(Fate.REFUSED if certain else Fate.UNKNOWN, reason, retry_delay)


def silence(why: str) -> Answer:
    """Answer what it means that no answer came."""
    return Answer(Fate.UNKNOWN, text=why)


def nonsense(what: str) -> Answer:
    """Answer what it means that an answer came that is not of the contract's form: the same as none."""
    return Answer(Fate.UNKNOWN, text=what, malformed=True)


def of_json(status: int, body: Any) -> Answer:
    """Read the JSON of an error: google.rpc.Status with its details."""
    try:
        details = {each["@type"]: each for each in body["details"]}
        info, retry = details[_ERROR_INFO], details.get(_RETRY_INFO)
        if info["domain"] != _DOMAIN:
            return nonsense(f"{status} {body}")
        return refusal(_reason(info), None if retry is None else _seconds(retry["retryDelay"]))
    except NOT_THE_FORM:
        return nonsense(f"{status} {body}")


def of_rejections(body: Any, scan_ids: Sequence[str]) -> list[Answer]:
    """Read the JSON of the answer to a batch: one for each scan, in the order they were sent."""
    try:
        answers = [ACCEPTED] * len(scan_ids)
        for rejection in body["rejections"]:
            index, delay = rejection["index"], rejection.get("retryDelay")
            if not 0 <= index < len(scan_ids) or rejection["scanId"] != scan_ids[index]:
                raise ValueError(f"index {index}")
            answers[index] = refusal(_reason(rejection), None if delay is None else _seconds(delay))
        if int(body["acceptedCount"]) != answers.count(ACCEPTED):
            raise ValueError("acceptedCount")
    except NOT_THE_FORM:
        return [nonsense(f"{body}")] * len(scan_ids)
    return answers


def _reason(form: Mapping[str, Any]) -> str:
    reason = form["reason"]
    if not isinstance(reason, str) or not reason:
        raise ValueError(f"no reason: {reason!r}")
    return reason


def _seconds(duration: str) -> float:
    """Read the JSON of a Duration."""
    return float(duration.removesuffix("s"))

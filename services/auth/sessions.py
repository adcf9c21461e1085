"""Operators' sessions and their refresh tokens.

A refresh token is `kmr_<company>_<session>_<generation>_<mac>`; the MAC is made of the session's random seed (256
bits, in its row) and the pepper (in no row). So nothing is stored that a token could be read from, and a token can
be told to have been ours at any later time:

    the session's generation          renews: the next generation is answered
    the one before, for a minute      the answer was lost: it is answered again, the very same token
    any older one                     stolen, by whoever uses it or by whoever renewed: the session ends
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from services.auth import companies
from services.chassis.errors import Unauthenticated
from services.chassis.fields import resource_id

LIFETIME = timedelta(days=30)
"""How long a session lives that is not renewed."""
GRACE = timedelta(seconds=60)
"""How long after a renewal its answer can be asked for again."""
SEED_BYTES = 32
_PATTERN = re.compile(r"kmr_([0-9]{1,10})_([0-9a-f-]{36})_([0-9]{1,9})_([0-9A-Za-z_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Session:
    """A session as stored."""

    company_id: int
    session_id: UUID
    user_id: UUID
    seed: bytes = field(repr=False)
    generation: int
    """That of the refresh token which renews it."""
    rotate_time: datetime
    """When it was last renewed, or made."""
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A refresh token that somebody has shown; whether it is one of ours is not known yet."""

    company_id: int
    session_id: UUID
    generation: int
    text: str = field(repr=False)


class Verdict(Enum):
    """What becomes of a session when one of its refresh tokens is shown."""

    RENEW = auto()
    REPEAT = auto()
    END = auto()


class SignInRefused(Unauthenticated):
    """Email, password or status is wrong; which one is nobody's business."""

    def __init__(self) -> None:
        super().__init__("email or password is wrong")


class RefreshTokenInvalid(Unauthenticated):
    """The refresh token is malformed, not ours, used up, or of a session that has ended."""

    def __init__(self) -> None:
        super().__init__("the refresh token is not valid")


class RefreshTokens:
    """Writes and reads refresh tokens, with the pepper that their MACs need."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def write(self, session: Session, generation: int | None = None) -> str:
        """Answer the token of a session's generation, the present one if none is given."""
        number = session.generation if generation is None else generation
        head = f"kmr_{session.company_id}_{session.session_id}_{number}"
        mac = hmac.digest(self._pepper, session.seed + head.encode(), "sha256")
        return f"{head}_{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    def read(self, text: str) -> PresentedToken:
        """Read a token that was shown.

        Raises:
            RefreshTokenInvalid: it is not of the form.
        """
        match = _PATTERN.fullmatch(text)
        session_id = resource_id(match[2]) if match else None
        if match is None or session_id is None or int(match[1]) > companies.MAX_ID:
            raise RefreshTokenInvalid
        return PresentedToken(int(match[1]), session_id, int(match[3]), text)

    def verify(self, token: PresentedToken, session: Session) -> None:
        """Make sure that a token once was the session's.

        Raises:
            RefreshTokenInvalid: it never was.
        """
        if not hmac.compare_digest(self.write(session, token.generation), token.text):
            raise RefreshTokenInvalid


def judge(session: Session, generation: int, now: datetime) -> Verdict:
    """Decide what a token of `generation`, which is known to be the session's, does to it."""
    if generation == session.generation:
        return Verdict.RENEW
    if generation == session.generation - 1 and now < session.rotate_time + GRACE:
        return Verdict.REPEAT
    return Verdict.END

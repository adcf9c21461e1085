"""Changes of what credentials are worth: the domain's side of a mark and of a CONTROL event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.auth.credentials import COMPANY


class Kind(StrEnum):
    """What was changed; each kind is one CONTROL subject."""

    COMPANY = "company"
    SCANNER = "scanner"
    API_KEYS = "api_keys"
    USER = "user"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Change:
    """One committed change, to be published until it is acknowledged."""

    change_id: UUID
    """Also the message's id: publishing again is the same message again."""
    kind: Kind
    company_id: int
    revision: int
    """That of the changed rows: a record of them with a lower one is outdated."""
    change_time: datetime
    holder_id: str = ""
    """The scanner or user concerned; empty for a company."""
    credential_ids: tuple[str, ...] = ()
    """The keys that were revoked, or the session."""
    active: bool = True
    """Whether company, scanner or user is served after the change."""
    scanner_type: str = ""
    """What a changed scanner is."""
    created: bool = False
    """Whether the resource is new: nothing about it can be cached, so there is nothing to call back."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """What the revision is one of, as `Credential` names it."""
        if self.credential_ids:
            return self.credential_ids
        return (self.holder_id or COMPANY,)

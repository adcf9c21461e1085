"""Changes on the wire: CONTROL's messages, written from changes and read into what a replica must know of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scanmesh.auth.v1 import auth_pb2, events_pb2

from services.auth.changes import Change, Kind
from services.auth.credentials import COMPANY
from services.chassis import subjects, wire


@dataclass(frozen=True, slots=True)
class News:
    """What an event tells those who cache credentials."""

    company_id: int
    subjects: tuple[str, ...]
    """What the revision is one of, as `Credential` names it."""
    revision: int


def encode(change: Change) -> tuple[str, bytes]:
    """Answer the subject and the bytes of a change's event."""
    form = _FORMS[change.kind]
    message = form.render(change)
    message.company_id = change.company_id
    message.revision = change.revision
    message.change_time.CopyFrom(wire.timestamp(change.change_time))
    return form.subject, message.SerializeToString(deterministic=True)


def decode(subject: str, payload: bytes) -> News | None:
    """Read an event; None if it is no change of what a credential is worth.

    Raises:
        google.protobuf.message.DecodeError: the bytes are not of the subject's message.
    """
    form = _BY_SUBJECT.get(subject)
    if form is None:
        return None
    message = form.message.FromString(payload)
    return News(message.company_id, tuple(form.subjects(message)), message.revision)


def encode_beat(now: datetime) -> bytes:
    """Answer the bytes of a beat."""
    return events_pb2.ControlBeat(beat_time=wire.timestamp(now)).SerializeToString()


def decode_beat(payload: bytes) -> datetime:
    """Answer when a beat was sent.

    Raises:
        google.protobuf.message.DecodeError: the bytes are not a beat.
    """
    return events_pb2.ControlBeat.FromString(payload).beat_time.ToDatetime(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Form:
    subject: str
    message: Any
    render: Callable[[Change], Any]
    subjects: Callable[[Any], Sequence[str]]


def _company(change: Change) -> Any:
    return events_pb2.CompanyChanged(
        status=auth_pb2.COMPANY_STATUS_ACTIVE if change.active else auth_pb2.COMPANY_STATUS_SUSPENDED
    )


def _scanner(change: Change) -> Any:
    return events_pb2.ScannerChanged(
        scanner_id=change.holder_id,
        status=auth_pb2.SCANNER_STATUS_ACTIVE if change.active else auth_pb2.SCANNER_STATUS_DISABLED,
        type=auth_pb2.ScannerType.Value(f"SCANNER_TYPE_{change.scanner_type.upper()}"),
    )


def _api_keys(change: Change) -> Any:
    return events_pb2.ApiKeysRevoked(scanner_id=change.holder_id, key_ids=change.credential_ids)


def _user(change: Change) -> Any:
    return events_pb2.UserChanged(
        user_id=change.holder_id,
        status=auth_pb2.USER_STATUS_ACTIVE if change.active else auth_pb2.USER_STATUS_DISABLED,
    )


def _session(change: Change) -> Any:
    (session_id,) = change.credential_ids
    return events_pb2.SessionRevoked(user_id=change.holder_id, session_id=session_id)


_FORMS = {
    Kind.COMPANY: _Form(subjects.COMPANY_CHANGED, events_pb2.CompanyChanged, _company, lambda _: (COMPANY,)),
    Kind.SCANNER: _Form(
        subjects.SCANNER_CHANGED, events_pb2.ScannerChanged, _scanner, lambda message: (message.scanner_id,)
    ),
    Kind.API_KEYS: _Form(
        subjects.API_KEYS_REVOKED, events_pb2.ApiKeysRevoked, _api_keys, lambda message: message.key_ids
    ),
    Kind.USER: _Form(
        subjects.USER_CHANGED, events_pb2.UserChanged, _user, lambda message: (message.user_id,)
    ),
    Kind.SESSION: _Form(
        subjects.SESSION_REVOKED, events_pb2.SessionRevoked, _session, lambda message: (message.session_id,)
    ),
}
_BY_SUBJECT = {form.subject: form for form in _FORMS.values()}

"""The API of a mesh over HTTP/JSON, as the demo calls it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import httpx

_POLL_SECONDS = 0.02
_TIMEOUT_SECONDS = 10.0

T = TypeVar("T")


class DemoError(Exception):
    """The mesh does not do for the demo what it should."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who signs in with a password."""

    email: str
    password: str

    def as_json(self) -> dict[str, str]:
        """Answer it as mesh.json and the API have it."""
        return {"email": self.email, "password": self.password}


class Edge:
    """Calls the API, as nobody or as whoever the headers say."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    @classmethod
    def at(cls, url: str, headers: Mapping[str, str] | None = None) -> Self:
        """Open a client of the edge at this URL."""
        return cls(httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def signed_in(self, login: Login) -> Self:
        """Answer a client of the same edge, as this user.

        Raises:
            DemoError: it may not sign in.
        """
        token = self.post("/v1/sessions", login.as_json())["accessToken"]
        return self.at(str(self._client.base_url), {"authorization": f"Bearer {token}"})

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call and answer whatever comes back."""
        return self._client.request(method, path, **options)

    def get(self, path: str, **options: Any) -> dict[str, Any]:
        """Get and answer the body.

        Raises:
            DemoError: the answer is no success.
        """
        return _body(self.ask("GET", path, **options))

    def get_if_there(self, path: str, **options: Any) -> dict[str, Any] | None:
        """Get and answer the body; None for anything but a success."""
        response = self.ask("GET", path, **options)
        return _body(response) if response.status_code == httpx.codes.OK else None

    def post(self, path: str, body: Mapping[str, Any], *, may_exist: bool = False) -> dict[str, Any]:
        """Post and answer the body of the answer; `may_exist` takes ALREADY_EXISTS for a success.

        Raises:
            DemoError: the answer is no success.
        """
        return _body(self.ask("POST", path, json=body), may_exist=may_exist)

    def patch(self, path: str, body: Mapping[str, Any], *, mask: str) -> dict[str, Any]:
        """Change the fields of the mask and answer the body of the answer.

        Raises:
            DemoError: the answer is no success.
        """
        return _body(self.ask("PATCH", path, json=body, params={"updateMask": mask}))


def _body(response: httpx.Response, *, may_exist: bool = False) -> dict[str, Any]:
    is_there = may_exist and response.status_code == httpx.codes.CONFLICT
    if response.status_code != httpx.codes.OK and not is_there:
        request = response.request
        raise DemoError(f"{request.method} {request.url.path}: {response.status_code} {response.text}")
    body: dict[str, Any] = response.json()
    return body


def until(answer: Callable[[], T | None], *, seconds: float) -> T | None:
    """Ask until something is answered, at most for `seconds`; None when nothing was."""
    deadline = time.monotonic() + seconds
    while (answered := answer()) is None and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return answered

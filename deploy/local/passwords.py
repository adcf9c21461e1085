"""Passwords of one mesh: all derived from one seed, so a new user or service needs no new file.

`HMAC-SHA-256(seed, name)`: who learns one password learns nothing about the others. The seed is made once; without it
PostgreSQL's roles could not log in any more, so it is on disk before anything uses it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets

from deploy.local.home import Home, write_private

_SEED_BYTES = 32


class Passwords:
    """Answers the password of each user of each part."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed

    @classmethod
    def of(cls, home: Home) -> Passwords:
        """Read the seed of a home, or make it."""
        if not home.secrets_file.exists():
            seed = secrets.token_hex(_SEED_BYTES)
            write_private(home.secrets_file, json.dumps({"seed": seed}), durable=True)
        return cls(bytes.fromhex(json.loads(home.secrets_file.read_text())["seed"]))

    def __getitem__(self, name: str) -> str:
        """Answer the password called `name`: 43 characters that need no quoting in a URL or a shell."""
        digest = hmac.digest(self._seed, name.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

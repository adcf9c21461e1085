"""Keeps dead letters; of two with one id the first counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy.dialects.postgresql import insert

from services.chassis.database import Database
from services.ingest.dead_letters import Letter
from services.ingest.tables import dead_letters

_INSERT = insert(dead_letters).on_conflict_do_nothing()


class DeadLetterStore:
    """One transaction for all letters given."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, letters: Sequence[Letter]) -> None:
        """Keep letters.

        Raises:
            Unavailable: the database is away; nothing is known to be kept.
        """
        # In the order of their keys, as every replica writes them: no two wait for each other.
        rows = [asdict(letter) for letter in sorted(letters, key=_key)]
        async with self._database.transaction() as connection:
            await connection.execute(_INSERT, rows)


def _key(letter: Letter) -> tuple[int, str]:
    return letter.company_id, letter.dead_letter_id.hex

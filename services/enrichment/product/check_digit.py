"""The check digit of all GS1 numbers: modulo 10, weights 3 and 1 from the right (GS1 General Specifications 7.9)."""

from __future__ import annotations


def of(payload: str) -> int:
    """Answer the check digit that belongs behind `payload`.

    Raises:
        ValueError: it is not made of digits alone.
    """
    return -(3 * sum(map(int, payload[-1::-2])) + sum(map(int, payload[-2::-2]))) % 10


def fits(number: str) -> bool:
    """Say whether the last digit of a number is the check digit of the others."""
    return of(number[:-1]) == int(number[-1])

"""The check digit of all GS1 numbers: modulo 10, weights 3 and 1 from the right (GS1 General Specifications 7.9)."""

from __future__ import annotations


def of(payload: str) -> int:
    """Answer the check digit that belongs behind `payload`.

    Raises:
        ValueError: it is not made of digits alone.
    """
    if not (payload.isascii() and payload.isdecimal()):
        raise ValueError(f"not digits alone: {payload!r}")
    digits = payload.encode()  # the sums below are those of the digits' codes, 48 more than the digits
    thrice, once = digits[-1::-2], digits[-2::-2]
    return (48 * (3 * len(thrice) + len(once)) - 3 * sum(thrice) - sum(once)) % 10


def fits(number: str) -> bool:
    """Say whether the last digit of a number is the check digit of the others."""
    return of(number[:-1]) == int(number[-1])

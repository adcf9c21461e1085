"""Firmware authors see nothing but the .proto files, so every element says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from protos import generate
from tests.api.descriptors import Api

SOURCES = sorted((generate.HERE / "scanmesh").rglob("*.proto"))
LEAST = 0.30
"""Share of comments among the lines that are not blank."""


def test_every_element_is_commented(api: Api) -> None:
    silent = [element.name for element in api.elements() if not element.comment]

    assert silent == []


def test_comments_are_sentences(api: Api) -> None:
    odd = [e.name for e in api.elements() if not e.comment[:1].isupper() and not e.comment.startswith("`")]

    assert odd == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_third_of_the_lines_explains(source: Path) -> None:
    lines = [line.strip() for line in source.read_text().splitlines() if line.strip()]
    comments = [line for line in lines if line.startswith("//")]

    assert len(comments) / len(lines) >= LEAST


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_file_begins_with_what_it_is_about(source: Path) -> None:
    first, second = source.read_text().splitlines()[:2]

    assert first.startswith("// ")
    assert second == "//", "the first sentence stands by itself"

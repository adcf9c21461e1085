from __future__ import annotations

import dataclasses
import traceback
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from services.chassis.settings import Secret, ServerSettings, SettingsError, load


@dataclass(frozen=True, kw_only=True)
class Everything:
    text: str
    number: int
    ratio: float
    flag: bool
    folder: Path
    span: timedelta
    names: tuple[str, ...]
    key: Secret
    perhaps: int | None = None
    another: Secret | None = None


COMPLETE = {
    "DEMO_TEXT": "words",
    "DEMO_NUMBER": "42",
    "DEMO_RATIO": "0.25",
    "DEMO_FLAG": "TRUE",
    "DEMO_FOLDER": "/tmp/x",  # noqa: S108 - never opened
    "DEMO_SPAN": "1.5",
    "DEMO_NAMES": "a, b,,c",
    "DEMO_KEY": "hush",
}


def read(**changes: str | None) -> Everything:
    environ = {**COMPLETE, **{f"DEMO_{name.upper()}": value for name, value in changes.items()}}
    return load(
        Everything,
        prefix="DEMO_",
        environ={name: value for name, value in environ.items() if value is not None},
    )


def problems(**changes: str | None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(**changes)
    return str(caught.value).splitlines()


def test_every_type_is_read() -> None:
    settings = read()
    assert dataclasses.replace(settings, key=None) == Everything(
        text="words",
        number=42,
        ratio=0.25,
        flag=True,
        folder=Path("/tmp/x"),  # noqa: S108
        span=timedelta(seconds=1.5),
        names=("a", "b", "c"),
        key=None,
    )
    assert settings.key.reveal() == "hush"


def test_an_optional_setting_is_none_or_what_it_may_be() -> None:
    assert read().perhaps is None
    assert read().another is None
    assert read(perhaps="3").perhaps == 3
    assert read(another="quiet").another.reveal() == "quiet"


def test_all_problems_are_told_at_once() -> None:
    told = problems(text=None, number="many", flag="yes", span="inf", ratio="", perhaps="x", typo="1")
    assert [problem.partition(":")[0] for problem in told] == [
        "DEMO_TEXT",
        "DEMO_NUMBER",
        "DEMO_RATIO",
        "DEMO_FLAG",
        "DEMO_SPAN",
        "DEMO_PERHAPS",
        "DEMO_TYPO",
    ]


@pytest.mark.parametrize("value", ["nan", "inf", "1e400", "soon"])
def test_a_span_that_is_none_is_a_problem(value: str) -> None:
    assert len(problems(span=value)) == 1


def test_a_missing_secret_is_a_problem_and_an_empty_one_too() -> None:
    assert problems(key=None) == ["DEMO_KEY: is missing"]
    assert problems(key="") == ["DEMO_KEY: is empty"]


def test_an_unknown_variable_of_the_prefix_refuses_the_start() -> None:
    assert problems(databse_url="x") == ["DEMO_DATABSE_URL: is not a setting"]


def test_other_prefixes_are_nobodys_business() -> None:
    environ = {**COMPLETE, "OTHER_TYPO": "1", "DEMONSTRATION": "1", "PATH": "/bin"}
    assert load(Everything, prefix="DEMO_", environ=environ).text == "words"


def test_variables_of_another_verb_are_known() -> None:
    environ = {"DEMO_IDENTITY_JWKS": "/keys", **COMPLETE}
    settings = load(ServerSettings, prefix="DEMO_", environ=environ, known=[Everything])
    assert settings.identity_jwks == Path("/keys")


def test_a_secret_is_never_shown() -> None:
    settings = read()
    shown = [repr(settings), str(settings.key), f"{settings.key}", repr(dataclasses.asdict(settings))]
    shown += traceback.format_exception(RuntimeError(settings))
    assert not [text for text in shown if "hush" in text]

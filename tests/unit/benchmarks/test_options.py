"""The command line of a chaos run."""

from __future__ import annotations

import pytest

from benchmarks.chaos import options
from benchmarks.chaos.faults import Act
from benchmarks.chaos.machine import Machine
from benchmarks.mutants.catalogue import MUTANTS


def test_plain_run_disturbs_everything_for_five_minutes() -> None:
    asked = options.read([])
    assert (asked.seconds, asked.replicas, asked.targets, asked.mutant) == (300.0, 2, None, None)
    assert asked.acts == tuple(Act)
    assert asked.machine == ()


def test_seed_is_kept_and_else_drawn() -> None:
    assert options.read(["--seed", "0"]).seed == 0
    assert options.read([]).seed != options.read([]).seed


def test_targets_and_acts_are_lists() -> None:
    asked = options.read(["--targets", "nats, postgres", "--acts", "kill,stop"])
    assert asked.targets == ("nats", "postgres")
    assert asked.acts == (Act.KILL, Act.STOP)
    assert options.read(["--faults", "power,disk"]).machine == (Machine.POWER, Machine.DISK)


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_mutant_brings_its_faults(name: str) -> None:
    asked = options.read(["--mutant", name])
    assert asked.mutant is MUTANTS[name]
    assert (asked.targets, asked.acts) == (MUTANTS[name].targets, tuple(map(Act, MUTANTS[name].acts)))
    assert (asked.seconds, asked.replicas) == (20.0, 1)
    assert options.read(["--mutant", name, "--seconds", "30", "--targets", "nats"]).targets == ("nats",)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--mutant", "none", "invalid choice"),
        ("--acts", "kill,maim", "no such act: maim; there are: kill, stop, restart"),
        ("--faults", "power,flood", "no such fault of the machine: flood; there are: power, disk"),
        ("--seconds", "many", "invalid"),
        *(("--seconds", value, "must lie between 5 and 86400") for value in ("0", "-5", "nan", "inf", "1e6")),
        ("--replicas", "0", "must be at least 1"),
    ],
)
def test_what_cannot_be_understood_ends_the_command(
    option: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        options.read([f"{option}={value}"])
    assert said in capsys.readouterr().err

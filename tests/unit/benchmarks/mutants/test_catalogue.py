"""Every mutant can be planted: what it names is there, and the wrong function takes what the right one takes."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.mutants.catalogue import MUTANTS, Mutant
from benchmarks.plants.site import planted
from benchmarks.plants.site.planted import Plant
from deploy.local.roster import PROCESSES

PLANTS = [pytest.param(plant, id=name) for name, mutant in MUTANTS.items() for plant in mutant.plants]
REQUIRED = {
    "ack_before_publish",
    "ack_before_commit",
    "usage_from_sent",
    "won_from_returning",
    "random_event_ids",
    "refund_on_unknown",
}


def named(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = pkgutil.resolve_name(name)
    assert inspect.isfunction(found), name
    return found


def call_of(function: Callable[..., Any]) -> tuple[list[str], dict[str, str]]:
    """Answer a call that uses all of a function's parameters, a name standing for each value."""
    positional, by_name = [], {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            by_name[parameter.name] = parameter.name
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            positional += [f"{parameter.name}[0]", f"{parameter.name}[1]"]
        else:
            positional.append(parameter.name)
    return positional, by_name


def test_the_ones_that_are_promised_are_there() -> None:
    assert set(MUTANTS) >= REQUIRED
    assert all(name == mutant.name for name, mutant in MUTANTS.items())


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name)
def test_mutant_is_planted_into_a_process_and_exposed_by_one(mutant: Mutant) -> None:
    assert mutant.plants
    assert mutant.part in PROCESSES
    assert set(mutant.targets) <= {*PROCESSES, "nats", "postgres", "valkey", "envoy"}
    assert mutant.breaks


@pytest.mark.parametrize("plant", PLANTS)
def test_plant_is_one_that_the_process_would_take_at_each_call(plant: Plant) -> None:
    [variable] = [value for name, value in planted.environment(plant).items() if name == planted.VARIABLE]
    assert planted.read(variable) == [plant]
    assert (plant.act, plant.call, plant.marker) == ("replace", 0, "")


@pytest.mark.parametrize("plant", PLANTS)
def test_wrong_function_takes_the_right_one_and_its_arguments(plant: Plant) -> None:
    right, wrong = named(plant.target), named(plant.value)
    positional, by_name = call_of(right)
    bound = inspect.signature(wrong).bind(right, *positional, **by_name)
    by_parameter = {name: value for name, value in bound.arguments.items() if isinstance(value, str)}
    own = {name: value for name, value in by_parameter.items() if name in inspect.signature(right).parameters}
    assert all(name == value for name, value in own.items()), own
    assert inspect.iscoroutinefunction(wrong) == inspect.iscoroutinefunction(right)

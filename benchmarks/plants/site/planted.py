"""Plants faults into a process from outside: what runs has no branch for them.

A plant names a function. When its module has been imported, the function is wrapped, and at one of its calls, or at
each, something goes wrong. Tests and mutant runs write plants into a process's environment (`environment`); `sitecustomize`
beside this file reads them there, before anything else is imported. A plant that cannot be understood, or whose
function is not there, ends the process: nothing must pass because nothing was planted.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import itertools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

VARIABLE = "SCANMESH_PLANT"
Function = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Plant:
    """One fault."""

    target: str
    """The function: `services.ingest.store_record:RecordStore.record`."""
    act: str
    """One of `ACTS`, by its name."""
    value: str = ""
    """What the act needs; see there."""
    when: str = "before"
    """`before` the call, which then never happens, or `after` it, when its result is on the way."""
    call: int = 1
    """Which call, from 1; 0 = each."""
    among: str = ""
    """Only calls count whose arguments, printed, contain this."""
    marker: str = ""
    """A file that is made when the plant fires; where it exists nothing happens, after a restart and elsewhere too."""


def environment(*plants: Plant) -> dict[str, str]:
    """Answer the variables that plant these faults into a process."""
    site = str(Path(__file__).resolve().parent)
    return {"PYTHONPATH": site, VARIABLE: json.dumps([asdict(plant) for plant in plants])}


def read(text: str) -> list[Plant]:
    """Read plants as `environment` writes them."""
    try:
        plants = [Plant(**fields) for fields in json.loads(text)]
    except (TypeError, ValueError) as error:
        raise SystemExit(f"{VARIABLE}: {error}") from error
    for plant in plants:
        if plant.act not in ACTS or plant.when not in {"before", "after"} or ":" not in plant.target:
            raise SystemExit(f"{VARIABLE}: {plant} cannot be planted")
    return plants


def install(plants: Sequence[Plant]) -> None:
    """Plant faults into modules that are yet to be imported."""
    sys.meta_path.insert(0, _Finder(plants))


def sow(module: ModuleType, plants: Sequence[Plant]) -> None:
    """Plant faults into a module that is there; the last one is the outermost."""
    for plant in plants:
        holder, name = _place(module, plant)
        setattr(holder, name, _wrapped(inspect.getattr_static(holder, name), plant))


def _place(module: ModuleType, plant: Plant) -> tuple[Any, str]:
    *holders, name = plant.target.partition(":")[2].split(".")
    try:
        holder = functools.reduce(getattr, holders, module)
        if inspect.isfunction(inspect.getattr_static(holder, name)):
            return holder, name
    except AttributeError:
        pass
    raise SystemExit(f"{plant.target} is no function")


def _wrapped(function: Function, plant: Plant) -> Function:
    fires = _Trigger(plant)
    act = ACTS[plant.act]

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return act(plant, function, args, kwargs) if fires(args, kwargs) else function(*args, **kwargs)

    @functools.wraps(function)
    async def waiting(*args: Any, **kwargs: Any) -> Any:
        result = wrapper(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    return waiting if inspect.iscoroutinefunction(function) else wrapper


class _Trigger:
    """Tells at which call a plant fires."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._calls = itertools.count(1)

    def __call__(self, args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
        plant = self._plant
        if plant.among and plant.among not in repr((args, kwargs)):
            return False
        return (next(self._calls) == plant.call or plant.call == 0) and self._first()

    def _first(self) -> bool:
        if not self._plant.marker:
            return True
        with suppress(FileExistsError):
            os.close(os.open(self._plant.marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return True
        return False


def _fault(happen: Function) -> Function:
    """Make an act of what goes wrong instead of a call, or after it."""

    def act(plant: Plant, function: Function, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if plant.when == "before":
            return happen(plant)
        result = function(*args, **kwargs)
        if inspect.isawaitable(result):
            return _after(result, lambda: happen(plant))
        return happen(plant)

    return act


async def _after(result: Any, happen: Function) -> Any:
    await result
    outcome = happen()
    return await outcome if inspect.isawaitable(outcome) else outcome


@_fault
def _kill(_: Plant) -> None:
    """End the process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


@_fault
def _raise(plant: Plant) -> None:
    """Raise the error that `value` names, `builtins:ValueError`."""
    raise _named(plant.value)("planted")


@_fault
def _hang(_: Plant) -> Any:
    """Never come back: a coroutine waits, anything else stops its thread."""
    try:
        return asyncio.get_running_loop().create_future()
    except RuntimeError:
        return threading.Event().wait()


@_fault
def _return(plant: Plant) -> Any:
    """Answer `value`, JSON."""
    return json.loads(plant.value)


def _replace(plant: Plant, function: Function, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Have the function that `value` names called instead, with the planted one as its first argument."""
    return _named(plant.value)(function, *args, **kwargs)


def _shift(plant: Plant, function: Function, args: Sequence[Any], kwargs: dict[str, Any]) -> datetime:
    """Set a clock: it is ahead by the seconds in the file `value`, now and whenever that changes; no file = 0."""
    ahead = 0.0
    with suppress(FileNotFoundError):
        ahead = float(Path(plant.value).read_text())
    time: datetime = function(*args, **kwargs) + timedelta(seconds=ahead)
    return time


def _named(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


ACTS: dict[str, Function] = {
    "kill": _kill,
    "raise": _raise,
    "hang": _hang,
    "return": _return,
    "replace": _replace,
    "shift": _shift,
}


class _Finder(MetaPathFinder):
    """Finds modules as Python does, and has those that are named by plants loaded by `_Loader`."""

    def __init__(self, plants: Sequence[Plant]) -> None:
        self._plants = plants

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        plants = [plant for plant in self._plants if plant.target.partition(":")[0] == fullname]
        spec = PathFinder.find_spec(fullname, path, target) if plants else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, plants)
        return spec


class _Loader(Loader):
    """Plants faults when a module has been loaded, before anybody can use it."""

    def __init__(self, loader: Loader, plants: Sequence[Plant]) -> None:
        self._loader = loader
        self._plants = plants

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        sow(module, self._plants)

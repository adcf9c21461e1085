from __future__ import annotations

from deploy.local import machine
from deploy.local.settings import ROOT


def test_set_up_refuses_with_the_same_sentence() -> None:
    assert machine.NEEDS in (ROOT / "deploy" / "setup").read_text()


def test_this_machine_will_do() -> None:
    machine.check()
    assert machine.glibc() >= (2, 31)

"""A scan answered *accepted* is on disk: killing NATS the moment after the answer does not lose it."""

from __future__ import annotations

import os
import signal

from tests.system.actors import Device, eventually, scan
from tests.system.inspector import stored_scans


def test_scan_survives_a_kill_right_after_its_ack(mesh, device: Device) -> None:
    kept = []
    for _ in range(3):
        body = scan()
        [pid] = mesh.describe()["processes"]["nats"]
        assert device.submit(body).status == 200
        os.kill(pid, signal.SIGKILL)
        kept.append(body["scanId"])
        eventually(lambda: device.submit(scan()).status == 200, seconds=15, what="scans are accepted again")
    assert sorted(each.scan_id for each in stored_scans(mesh.describe(), *kept)) == sorted(kept)
